-- Stands for the policy that is copied most: the tenant's folder by storage.foldername, the token by a bare auth.jwt(),
-- both worked out again for every object.
create policy "bench: tenant's folder" on storage.objects
  for select to authenticated
  using (
    bucket_id = 'documents'
    and (storage.foldername(name))[1] = auth.jwt() -> 'app_metadata' ->> 'tenant_id'
  );
