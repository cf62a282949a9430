/** Prints the mutants of the database as JSON: found in the catalogue of a stack that has our migrations. */
import { connect } from "../support/stack.ts";
import { type Change, withoutEachAnd, withoutEachLimit, withoutEachRefusal } from "./conditions.ts";
import type { Mutant } from "./mutant.ts";

const sql = connect();
await sql`select set_config('search_path', '', false)`;
const mutants: Mutant[] = [];
const add = (kind: string, on: string, what: string, change: string, undo: string) =>
  mutants.push({ kind, on, what: what.replaceAll(/\s+/g, " "), sql: { change, undo } });

const policies = await sql`
  select p.oid, p.polname as name, p.polrelid::regclass::text as table, p.polpermissive as permissive,
    pg_get_expr(p.polqual, p.polrelid) as using, pg_get_expr(p.polwithcheck, p.polrelid) as check,
    case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end as command,
    (select string_agg(case r when 0 then 'public' else r::regrole::text end, ', ') from unnest(p.polroles) r) as roles
  from pg_policy p join pg_class c on c.oid = p.polrelid
  where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
    or p.polrelid in ('storage.objects'::regclass, 'realtime.messages'::regclass)
  order by 3, 2`;
for (const { name, table, permissive, using, check, command, roles } of policies) {
  const quoted = `"${name.replaceAll('"', '""')}"`;
  const undo = [
    `drop policy if exists ${quoted} on ${table}; create policy ${quoted} on ${table}`,
    `as ${permissive ? "permissive" : "restrictive"} for ${command} to ${roles}`,
    using ? `using (${using})` : "",
    check ? `with check (${check});` : ";",
  ].join(" ");
  const policy = (what: string, change: string) =>
    add("policy", `${table}: ${name}`, what, `${change} ${quoted} on ${table}`, undo);
  const altered = (what: string, clause: string) =>
    add("policy", `${table}: ${name}`, what, `alter policy ${quoted} on ${table} ${clause};`, undo);
  policy("dropped", "drop policy");
  if (using && permissive) altered("using true", "using (true)");
  if (check) altered("with check true", "with check (true)");
  for (const [clause, text] of [["using", using], ["with check", check]] as const) {
    for (const { what, text: changed } of text ? withoutEachAnd(text) : []) {
      altered(what, `${clause} (${changed})`);
    }
  }
}

const triggers = await sql`
  select t.tgname as name, t.tgrelid::regclass::text as table, pg_get_triggerdef(t.oid) as definition from pg_trigger t join pg_class c on c.oid = t.tgrelid
  join pg_proc p on p.oid = t.tgfoid
  where not t.tgisinternal and p.pronamespace in ('public'::regnamespace, 'private'::regnamespace) order by 2, 1`;
for (const { name, table, definition } of triggers) {
  add("trigger", `${table}: ${name}`, "dropped", `drop trigger "${name}" on ${table};`, `${definition};`);
}

const functions = await sql`
  select p.oid::regprocedure::text as name, pg_get_functiondef(p.oid) as definition, p.prosrc as body,
    array(
      select r from unnest(array['anon', 'authenticated', 'service_role']) r
      where not has_function_privilege(r, p.oid, 'execute')
    ) as without,
    array(
      select r from unnest(array['anon', 'authenticated', 'service_role']) r
      where has_function_privilege(r, p.oid, 'execute')
    ) as with,
    p.prorettype = 'trigger'::regtype as is_trigger
  from pg_proc p where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace) order by 1`;
for (const { name, definition, body, without, with: granted, is_trigger } of functions) {
  if (name.startsWith("private.lock_table")) continue; // for migrations only
  const changes: Change[] = [...withoutEachRefusal(body), ...withoutEachAnd(body), ...withoutEachLimit(body)];
  for (const { what, text } of changes) {
    add("condition", name, what, `${definition.replace(body, () => text)};`, `${definition};`);
  }
  if (is_trigger) continue;
  const [grant, revoke] = [
    (role: string) => `grant execute on function ${name} to ${role};`,
    (role: string) => `revoke execute on function ${name} from ${role};`,
  ];
  for (const role of without) add("grant", name, `execute for ${role}`, grant(role), revoke(role));
  for (const role of granted) add("revoke", name, `execute from ${role}`, revoke(role), grant(role));
}

const checks = await sql`
  select conname as name, conrelid::regclass::text as table, pg_get_constraintdef(oid) as definition
  from pg_constraint
  where contype = 'c' and connamespace in ('public'::regnamespace, 'private'::regnamespace) and conrelid <> 0 order by 2, 1`;
for (const { name, table, definition } of checks) {
  const undo = `alter table ${table} add constraint "${name}" ${
    definition.replace(/ NOT VALID$/, "")
  } not valid;`;
  add(
    "check",
    `${table}: ${name}`,
    `dropped: ${definition}`,
    `alter table ${table} drop constraint "${name}";`,
    undo,
  );
}

const rights = await sql`
  select c.oid::regclass::text as table, r.role, p.privilege, has_table_privilege(r.role, c.oid, p.privilege) as has
  from pg_class c, unnest(array['anon', 'authenticated', 'service_role']) r (role),
    unnest(array['select', 'insert', 'update', 'delete']) p (privilege)
  where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace) and c.relkind in ('r', 'v') order by 1, 2, 3`;
for (const { table, role, privilege, has } of rights) {
  const [grant, revoke] = [
    `grant ${privilege} on ${table} to ${role};`,
    `revoke ${privilege} on ${table} from ${role};`,
  ];
  if (has) add("revoke", table, `${privilege} from ${role}`, revoke, grant);
  else add("grant", table, `${privilege} for ${role}`, grant, revoke);
}

await sql.end();
console.log(JSON.stringify(mutants));
