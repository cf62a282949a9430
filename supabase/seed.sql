-- Demo data: two municipalities, a user of every role in each ({role}@{slug}.test), numbers, tickets.
-- The users have no password: the local stack sets a random one (DEMO_PASSWORD). Never run it on a real project.

insert into public.municipalities (id, slug, name, language) values
  ('a1b0de1a-0000-4000-8000-000000000001', 'mbombela', 'City of Mbombela', 'en'),
  ('b0107a1e-0000-4000-8000-000000000002', 'polokwane', 'Polokwane Municipality', 'af');

-- Auth reads no NULL from its columns of tokens. Users that are there already stay as they are.
insert into auth.users (
  instance_id, id, aud, role, email, email_confirmed_at, raw_app_meta_data, raw_user_meta_data, created_at, updated_at,
  confirmation_token, recovery_token, email_change_token_new, email_change
)
select
  '00000000-0000-0000-0000-000000000000', gen_random_uuid(), 'authenticated', 'authenticated',
  r.role || '@' || m.slug || '.test', now(),
  jsonb_build_object('provider', 'email', 'providers', array['email'], 'tenant_id', m.id, 'role', r.role),
  '{}', now(), now(), '', '', '', ''
from public.municipalities m
cross join unnest(array[
  'citizen', 'field_worker', 'ward_councillor', 'manager', 'admin', 'saps_liaison'
]) as r (role)
where not exists (select from auth.users u where u.email = r.role || '@' || m.slug || '.test');

insert into public.whatsapp_numbers (number, tenant_id, is_sensitive) values
  ('+27130000001', 'a1b0de1a-0000-4000-8000-000000000001', false),
  ('+27130000002', 'a1b0de1a-0000-4000-8000-000000000001', true),
  ('+27150000001', 'b0107a1e-0000-4000-8000-000000000002', false),
  ('+27150000002', 'b0107a1e-0000-4000-8000-000000000002', true);

insert into public.tickets (tenant_id, category, severity, description, reporter_id)
select m.id, t.category, t.severity, t.description, u.id
from public.municipalities m
join auth.users u on u.email = 'citizen@' || m.slug || '.test'
cross join (values
  ('water', 'high', 'Burst pipe at the corner, water runs down the road'),
  ('roads', 'medium', 'Deep pothole in front of the school'),
  ('electricity', 'low', 'Street light has been out for a week')
) as t (category, severity, description);

insert into public.tickets (tenant_id, category, severity, is_sensitive)
select m.id, 'gbv', 'critical', true from public.municipalities m;
