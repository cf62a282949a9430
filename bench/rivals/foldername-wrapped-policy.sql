-- Stands for the same policy after the performance advice of Supabase's guide: auth.jwt() in a sub-select, read once.
create policy "bench: tenant's folder, wrapped" on storage.objects
  for select to authenticated
  using (
    bucket_id = 'documents'
    and (storage.foldername(name))[1] = (select auth.jwt() -> 'app_metadata' ->> 'tenant_id')
  );
