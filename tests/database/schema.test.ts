// Rules that hold over the whole schema: a table or function added later breaks them loudly.
import { bucketFor, BUCKETS as BUCKET_LIMITS } from "../../shared/storage/buckets.ts";
import { Purpose } from "../../shared/contracts.ts";
import { assertEquals } from "../support/assert.ts";
import { connect } from "../support/stack.ts";

/** SECURITY DEFINER functions, each with its reason beside it in its migration. */
const DEFINERS = [
  "private.announce_media",
  "private.announce_message",
  "private.announce_ticket_changes",
  "private.call_media_worker",
  "private.caller_opened",
  "private.caller_sees_sensitive",
  "private.check_announced",
  "private.check_bucket_limits",
  "private.consistency_path",
  "private.count_ticket_changes",
  "private.custody_root",
  "private.custody_size",
  "private.follow_changed_tickets",
  "private.follow_message_words",
  "private.follow_own_ticket",
  "private.follow_ticket_words",
  "private.guard_bucket",
  "private.guard_stored_object",
  "private.inclusion_path",
  "private.is_written_by_service",
  "private.mark_ticket_read",
  "private.mark_ticket_sensitive",
  "private.matching_tickets",
  "private.new_tracking_number",
  "private.recent_fault",
  "private.record_bundle",
  "private.record_certificate",
  "private.record_deleted_object",
  "private.record_stored_object",
  "private.record_system_event",
  "private.record_user_event",
  "private.retry_media",
  "private.seal_custody",
  "private.seal_messages",
  "public.add_custody_checkpoint",
  "public.audit_custody",
  "public.claim_custody_timestamp",
  "public.claim_media_work",
  "public.claim_read_back",
  "public.complete_custody_timestamp",
  "public.complete_media_deletion",
  "public.complete_media_hash",
  "public.complete_media_move",
  "public.complete_media_transfer",
  "public.complete_read_back",
  "public.complete_resealing",
  "public.due_custody_checkpoint",
  "public.fail_media_work",
  "public.move_message",
  "public.open_bundle_messages",
  "public.open_messages",
  "public.other_tickets_of_sender",
  "public.publish_municipality_event",
  "public.record_inbound_message",
  "public.route_inbound_message",
  "public.seal_custody",
  "public.tokens_to_reseal",
];

/** What the API's roles may do with tables. Nothing else is granted to anybody. */
const GRANTS = [
  "authenticated custody_audits SELECT",
  "authenticated custody_checkpoints SELECT",
  "authenticated custody_keys SELECT",
  "authenticated custody_records SELECT",
  "authenticated custody_timestamps SELECT",
  "authenticated evidence_access_log SELECT",
  "authenticated media_attachments SELECT",
  "authenticated media_backlog SELECT",
  "authenticated municipalities SELECT",
  "authenticated ticket_count_changes SELECT",
  "authenticated ticket_counts SELECT",
  "authenticated tickets SELECT",
  "authenticated whatsapp_numbers SELECT",
  "service_role custody_audits SELECT",
  "service_role custody_checkpoints SELECT",
  "service_role custody_keys SELECT",
  "service_role custody_records SELECT",
  "service_role custody_timestamps SELECT",
  "service_role evidence_access_log SELECT",
  "service_role inbound_messages SELECT",
  "service_role media_attachments SELECT",
  "service_role media_backlog SELECT",
  "service_role municipalities INSERT",
  "service_role municipalities SELECT",
  "service_role municipalities UPDATE",
  "service_role tickets DELETE",
  "service_role tickets INSERT",
  "service_role tickets SELECT",
  "service_role tickets UPDATE",
  "service_role whatsapp_numbers DELETE",
  "service_role whatsapp_numbers INSERT",
  "service_role whatsapp_numbers SELECT",
  "service_role whatsapp_numbers UPDATE",
];

/** Functions of the API's schema, and which of its roles may call each. */
const CALLABLE = {
  add_custody_checkpoint: ["service_role"],
  audit_custody: ["service_role"],
  claim_custody_timestamp: ["service_role"],
  claim_media_work: ["service_role"],
  claim_read_back: ["service_role"],
  complete_custody_timestamp: ["service_role"],
  complete_media_deletion: ["service_role"],
  complete_media_hash: ["service_role"],
  complete_media_move: ["service_role"],
  complete_media_transfer: ["service_role"],
  complete_read_back: ["service_role"],
  complete_resealing: ["service_role"],
  create_upload_slot: ["authenticated"],
  custody_bundle: ["authenticated", "service_role"],
  custody_certificate: ["authenticated"],
  custody_consistency: ["authenticated", "service_role"],
  custody_proof: ["authenticated", "service_role"],
  due_custody_checkpoint: ["service_role"],
  fail_media_work: ["service_role"],
  list_tickets: ["authenticated"],
  mark_ticket_read: ["authenticated"],
  mark_ticket_sensitive: ["authenticated"],
  move_message: ["authenticated"],
  open_bundle_messages: ["service_role"],
  open_evidence: ["authenticated"],
  open_messages: ["authenticated"],
  other_tickets_of_sender: ["authenticated"],
  publish_municipality_event: ["service_role"],
  record_custody_bundle: ["authenticated", "service_role"],
  record_inbound_message: ["service_role"],
  retry_media: ["authenticated"],
  route_inbound_message: ["service_role"],
  seal_custody: ["service_role"],
  search_tickets: ["authenticated"],
  ticket_counts: ["authenticated"],
  tokens_to_reseal: ["service_role"],
  verify_custody: ["authenticated", "service_role"],
};

const sql = connect();

/** An expression without its `( SELECT … )`s, brackets balanced. */
function withoutSubselects(expression: string): string {
  const start = expression.indexOf("( SELECT ");
  if (start < 0) return expression;
  let end = start;
  for (let depth = 0; end < expression.length; end++) {
    if (expression[end] === "(") depth++;
    if (expression[end] === ")" && --depth === 0) break;
  }
  return withoutSubselects(expression.slice(0, start) + expression.slice(end + 1));
}
const test = (name: string, run: () => Promise<void>) =>
  Deno.test({ name, fn: run, sanitizeResources: false, sanitizeOps: false });

test("every table of public and private has row-level security and at least one policy", async () => {
  const rows = await sql`
    select c.oid::regclass::text as name from pg_class c
    where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace) and c.relkind in ('r', 'p')
      and (not c.relrowsecurity or not exists (select from pg_policy p where p.polrelid = c.oid))`;
  assertEquals(rows.map((row) => row.name), []);
});

test("the API's roles hold exactly the table grants listed", async () => {
  const rows = await sql`
    select grantee || ' ' || table_name || ' ' || privilege_type as grant
    from information_schema.table_privileges
    where table_schema in ('public', 'private') and grantee in ('anon', 'authenticated', 'service_role', 'PUBLIC')
    order by 1`;
  assertEquals(rows.map((row) => row.grant), GRANTS);
});

test("users write only the columns of tickets and files that are theirs to set", async () => {
  const rows = await sql`
    select table_name || ' ' || privilege_type as write, string_agg(column_name, ' ' order by column_name) as columns
    from information_schema.column_privileges
    where table_schema = 'public' and grantee in ('anon', 'authenticated') and privilege_type in ('INSERT', 'UPDATE')
    group by 1 order by 1`;
  assertEquals(Object.fromEntries(rows.map((row) => [row.write, row.columns])), {
    "media_attachments INSERT":
      "bucket content_type created_by declared_sha256 file_id file_size filename path purpose tenant_id ticket_id",
    "tickets INSERT":
      "category description encrypted_description is_sensitive language reporter_id severity status tenant_id",
    "tickets UPDATE": "category description encrypted_description is_sensitive language severity status",
  });
});

test("every function pins search_path = ''", async () => {
  const rows = await sql`
    select p.oid::regprocedure::text as name from pg_proc p
    where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
      and not 'search_path=""' = any (coalesce(p.proconfig, '{}'))`;
  assertEquals(rows.map((row) => row.name), []);
});

test("but one no function is for everybody, and each of the API's is callable by the roles listed", async () => {
  const open = await sql`
    select p.oid::regprocedure::text as name from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace) and a.grantee = 0`;
  // a column's default: an adopted table may let anybody insert
  assertEquals(open.map((row) => row.name), ["private.new_tracking_number()"]);
  const rows = await sql`
    select p.proname, array_agg(r.rolname::text order by r.rolname) filter (
      where has_function_privilege(r.rolname, p.oid, 'execute')) as roles
    from pg_proc p, pg_roles r
    where p.pronamespace = 'public'::regnamespace and r.rolname in ('anon', 'authenticated', 'service_role')
    group by p.proname order by p.proname`;
  assertEquals(Object.fromEntries(rows.map((row) => [row.proname, row.roles])), CALLABLE);
});

test("SECURITY DEFINER functions are those listed", async () => {
  const rows = await sql`
    select distinct p.pronamespace::regnamespace || '.' || p.proname as name from pg_proc p
    where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace) and p.prosecdef order by 1`;
  assertEquals(rows.map((row) => row.name), DEFINERS);
});

test("tables and functions say what they are", async () => {
  const rows = await sql`
    select c.oid::regclass::text as name from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v') and obj_description(c.oid, 'pg_class') is null
    union all
    select p.oid::regprocedure::text from pg_proc p
    where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace) and obj_description(p.oid, 'pg_proc') is null`;
  assertEquals(rows.map((row) => row.name), []);
});

test("no policy or function trusts user_metadata, which its user can edit", async () => {
  const rows = await sql`
    select polname::text as name from pg_policy
    where concat(pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) like '%user_metadata%'
      and polrelid <> 'storage.objects'::regclass
    union all
    select proname from pg_proc
    where pronamespace in ('public'::regnamespace, 'private'::regnamespace)
      and prosrc like '%user_metadata%' and proname <> 'guard_stored_object'`; // there it is Storage's own column
  assertEquals(rows.map((row) => row.name), []);
});

test("policies ask for the token once a statement: every call of auth.jwt(), auth.uid() or caller_* is in a subselect", async () => {
  const rows = await sql`
    select polrelid::regclass::text as table, polname::text as name,
      concat(pg_get_expr(polqual, polrelid), ' ', pg_get_expr(polwithcheck, polrelid)) as expression
    from pg_policy
    where polrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace)
      or (polrelid = 'storage.objects'::regclass and polname like 'evidence:%')`;
  const bare = rows.filter(({ expression }) =>
    /\b(auth\.(uid|jwt)|private\.caller_(tenant|role|is_staff|sees_sensitive))\(/.test(
      withoutSubselects(expression),
    )
  );
  assertEquals(bare.map((row) => `${row.table}: ${row.name}`), []);
});

test("times are kept with their zone, and sessions of the API are in UTC", async () => {
  const rows = await sql`
    select table_name || '.' || column_name as name from information_schema.columns
    where table_schema in ('public', 'private') and data_type = 'timestamp without time zone'`;
  assertEquals(rows.map((row) => row.name), []);
  const [{ TimeZone: zone }] = await sql`show timezone` as unknown as [{ TimeZone: string }];
  assertEquals(zone, "UTC");
});

test("every foreign key has an index that begins with its columns", async () => {
  const rows = await sql`
    select c.conname::text as name from pg_constraint c
    where c.contype = 'f' and c.connamespace = 'public'::regnamespace and not exists (
      select from pg_index i where i.indrelid = c.conrelid
        and (i.indkey::smallint[])[0:cardinality(c.conkey) - 1] @> c.conkey
    )`;
  assertEquals(rows.map((row) => row.name), []);
});

test("the buckets are private, with the limits that the code knows", async () => {
  const rows =
    await sql`select id, public, file_size_limit::int as max, allowed_mime_types as types from storage.buckets order by id`;
  const ours = rows.filter((row) => row.id in BUCKET_LIMITS).map((row) => ({ ...row }));
  assertEquals(
    ours as unknown[],
    Object.entries(BUCKET_LIMITS).map(([id, limits]) => ({
      id,
      public: false,
      max: limits.maxBytes,
      types: limits.types,
    }))
      .sort((a, b) => a.id < b.id ? -1 : 1),
  );
});

test("purposes map to buckets in the database as in the code", async () => {
  for (const purpose of Purpose.options) {
    for (const sensitive of [false, true]) {
      const [row] = await sql`select private.bucket_for(${purpose}, ${sensitive}) as bucket`;
      assertEquals(row!.bucket, bucketFor(purpose, sensitive), `${purpose}, sensitive ${sensitive}`);
    }
  }
  const [unknown] = await sql`select private.bucket_for('holiday', false) as bucket`;
  assertEquals(unknown!.bucket, null);
});

test("close the connection", () => sql.end());

Deno.test("no migration makes or drops a policy, or drops a trigger, before it has locked what that locks", async () => {
  const folder = new URL("../../migrations/", import.meta.url);
  let judged = 0;
  for await (const { name } of Deno.readDir(folder)) {
    const text = (await Deno.readTextFile(new URL(name, folder))).replace(/^ *--.*$/gm, "");
    const first = text.search(/\b(create|drop|alter) policy\b|\bdrop trigger\b/);
    if (first < 0) continue;
    judged++;
    // a call of its own: one within a function, or without the policies' tables, is none
    const locked = text.search(/^select private\.lock_tables\('[^']*'\);$/m);
    assertEquals(locked >= 0 && locked < first, true, name);
  }
  assertEquals(judged > 5, true);
});
