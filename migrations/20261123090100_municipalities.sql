-- Municipalities: the tenants. A user's app_metadata.tenant_id is the id of one.

select private.lock_tables('{}');

create table if not exists public.municipalities (
  id uuid primary key default gen_random_uuid(),
  slug text not null unique check (slug ~ '^[a-z][a-z0-9-]{1,62}$'),
  name text not null check (length(name) between 1 and 200),
  -- the official written languages
  language text not null default 'en'
    check (language in ('af', 'en', 'nr', 'nso', 'ss', 'st', 'tn', 'ts', 've', 'xh', 'zu')),
  gbv_requires_mfa boolean not null default false,
  uploads_per_hour integer not null default 600 check (uploads_per_hour > 0),
  created_at timestamptz not null default now()
);
comment on table public.municipalities is 'Tenants. Every other table belongs to one by tenant_id.';
comment on column public.municipalities.language is
  'Language of tickets opened by WhatsApp, and so of the replies; English if shared/twilio/replies.ts lacks the language.';
comment on column public.municipalities.gbv_requires_mfa is
  'Whether GBV reports and their files are shown only to those signed in with a second factor (aal2).';

comment on column public.municipalities.uploads_per_hour is
  'Files that one person may announce or upload in an hour. Files from WhatsApp do not count.';

alter table public.municipalities enable row level security;

create policy "everybody signed in reads their own municipality" on public.municipalities
  for select to authenticated
  using (id = (select private.caller_tenant()));
create policy "municipalities: only one's own, whatever other policies there are" on public.municipalities
  as restrictive for all to public
  using (current_user = 'authenticated' and id = (select private.caller_tenant()));

revoke all on public.municipalities from anon, authenticated, service_role;
grant select on public.municipalities to authenticated;
grant select, insert, update on public.municipalities to service_role;
