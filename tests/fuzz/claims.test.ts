// Whatever a token claims: who it is taken for, and which rows it shows, are what docs/access.md says, and nothing more.
import type postgres from "postgres";
import { ServiceError } from "../../shared/platform/errors.ts";
import { makeIdentifyCaller } from "../../shared/request/caller.ts";
import { SEE_SENSITIVE, WRITE_TICKETS } from "../support/access.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { serviceFile, ticketFile } from "../support/files.ts";
import { call, database } from "../support/functions.ts";
import { functionEnvironment, makeSigner } from "../support/handlers.ts";
import {
  everybody,
  makeTicket,
  MUNICIPALITIES,
  ok,
  person,
  type Role,
  ROLES,
  SECRET_KEY,
  service,
  type Slug,
  SLUGS,
} from "../support/stack.ts";
import { accepted, newSender } from "../support/whatsapp.ts";
import { anyText, fc, holds, RUNS } from "./support.ts";

type Claims = Record<string, unknown>;

const odd = fc.oneof(
  anyText,
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom<unknown>(null, true, 0, 1, {}, [], "admin", ["admin"], { role: "admin" }, "*", "%"),
);

/** A claim as Auth writes it, mostly; odd, or left out. */
const claim = (name: string, usual: fc.Arbitrary<unknown>, weight = 12): fc.Arbitrary<Claims> =>
  fc.oneof(
    { weight, arbitrary: usual.map((value) => ({ [name]: value })) },
    { weight: 1, arbitrary: odd.map((value) => ({ [name]: value })) },
    { weight: 1, arbitrary: fc.constant({}) },
  );

const together = (...parts: fc.Arbitrary<Claims>[]): fc.Arbitrary<Claims> =>
  fc.tuple(...parts).map((all) => Object.assign({}, ...all));

const TENANTS = SLUGS.map((slug) => MUNICIPALITIES[slug].id as string);

function claimsOf(users: string[]): fc.Arbitrary<Claims> {
  const metadata = together(
    claim(
      "tenant_id",
      fc.constantFrom(...TENANTS, TENANTS[0]!.toUpperCase(), `${TENANTS[0]} `, crypto.randomUUID()),
    ),
    claim(
      "role",
      fc.constantFrom(...ROLES, ...SEE_SENSITIVE, "Admin", " admin", "service_role", "admin\0", "owner"),
    ),
  );
  return together(
    claim("sub", fc.constantFrom(...users, crypto.randomUUID(), users[0]!.slice(1), `${users[0]}\n`), 20),
    claim("app_metadata", metadata, 20),
    claim("aal", fc.constantFrom("aal1", "aal2", "AAL2")),
    fc.oneof(
      { weight: 3, arbitrary: fc.constant({}) },
      metadata.map((user_metadata) => ({ user_metadata })),
      metadata, // beside app_metadata
    ),
  );
}

// Who calls ------------------------------------------------------------------------------------------------------------

Deno.test(`${RUNS} arbitrary signed tokens: each is a user's of a municipality, or unauthorized, or forbidden`, async () => {
  const signer = await makeSigner();
  const identify = makeIdentifyCaller(
    functionEnvironment({ SUPABASE_JWKS: JSON.stringify({ keys: [signer.jwk] }) }),
  );
  const issuer = `${Deno.env.get("SUPABASE_URL")}/auth/v1`;
  const now = Math.floor(Date.now() / 1000);
  const tokens = together(
    claimsOf([crypto.randomUUID()]),
    claim("iss", fc.constantFrom(issuer, issuer, issuer, `${issuer}/`, "https://evil.example/auth/v1"), 20),
    claim("aud", fc.constantFrom("authenticated", ["authenticated"], ["x", "authenticated"], "anon"), 20),
    claim("exp", fc.constantFrom(now + 3600, now + 3600, now + 3600, now - 60, 1e300, -1), 20),
    claim("role", fc.constantFrom("authenticated", "authenticated", "anon", "service_role"), 20),
    claim("nbf", fc.constant(now - 1), 3),
  );
  const seen = new Map<string, number>();
  await holds(RUNS, tokens, async (claims) => {
    const token = await signer.sign(claims);
    const request = new Request("http://edge.invalid/", { headers: { authorization: `Bearer ${token}` } });
    const expected = callerOf(claims, issuer, now);
    const found = await identify(request).then(({ userId }) => userId, (error) => {
      assert(error instanceof ServiceError, String(error));
      return error.code;
    });
    assertEquals(found, expected);
    seen.set(expected, (seen.get(expected) ?? 0) + 1);
  });
  assert(seen.size >= 3 && seen.has("forbidden") && seen.has("unauthorized"), "the tokens are too plain");
});

function callerOf(claims: Claims, issuer: string, now: number): string {
  const { sub, iss, aud, exp, role, nbf } = claims;
  const metadata = claims.app_metadata as Claims | null | undefined;
  if (typeof exp !== "number" || exp < now) return "unauthorized";
  if (nbf !== undefined && (typeof nbf !== "number" || nbf > now + 5)) return "unauthorized";
  if (iss !== issuer || role !== "authenticated" || ![aud].flat().includes("authenticated")) {
    return "unauthorized";
  }
  if (typeof sub !== "string" || sub === "") return "unauthorized";
  return typeof metadata?.tenant_id === "string" ? sub : "forbidden";
}

// What the caller sees -------------------------------------------------------------------------------------------------

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

interface Known {
  table: string;
  id: string;
  tenant: string | null;
  sensitive: boolean;
  owner: string | null;
}

/** Every row that anybody might see. */
async function everyRow(sql: postgres.Sql): Promise<Known[]> {
  return await sql<Known[]>`
    select 'tickets' as table, id::text, tenant_id as tenant, is_sensitive as sensitive, reporter_id as owner
    from public.tickets
    union all
    select 'media_attachments', file_id::text, tenant_id, is_sensitive, created_by from public.media_attachments
    union all
    select 'objects', m.path, m.tenant_id, m.is_sensitive, m.created_by
    from public.media_attachments m join storage.objects o on o.bucket_id = m.bucket and o.name = m.path
    where m.status = 'stored'
    union all
    select 'inbound_messages', m.message_sid, m.tenant_id, m.is_sensitive, t.reporter_id
    from public.inbound_messages m join public.tickets t on t.id = m.ticket_id
    union all
    select 'custody_records', id::text, tenant_id, true, null from public.custody_records
    union all
    select 'custody_audits', started_at::text, tenant_id, true, null from public.custody_audits
    union all
    select 'custody_checkpoints', root, tenant_id, true, null from public.custody_checkpoints
    union all
    select 'custody_timestamps', authority, tenant_id, true, null from public.custody_timestamps
    union all
    select 'whatsapp_numbers', number, tenant_id, false, null from public.whatsapp_numbers
    union all
    select 'municipalities', id::text, id, false, null from public.municipalities
    union all
    select distinct 'topics', topic, private.safe_uuid(split_part(topic, ':', 2)), topic like '%:gbv', null::uuid
    from realtime.messages where topic like 'municipality:%' and extension = 'broadcast'`;
}

interface Model {
  tenant: string | undefined;
  role: Role;
  user: string | undefined;
  seesSensitive: boolean;
}

/** Who a token is, by docs/access.md. */
function modelOf(claims: Claims, mfa: Slug[]): Model {
  const { sub, app_metadata, aal } = claims;
  const metadata = (typeof app_metadata === "object" && !Array.isArray(app_metadata) ? app_metadata : {}) as
    | Claims
    | null;
  const user = typeof sub === "string" && UUID.test(sub) ? sub.toLowerCase() : undefined;
  const { tenant_id, role } = metadata ?? {};
  const tenant = user && typeof tenant_id === "string" && UUID.test(tenant_id)
    ? tenant_id.toLowerCase()
    : undefined;
  const known = user && ROLES.includes(role as Role) ? role as Role : "citizen";
  const asksForMore = mfa.some((slug) => MUNICIPALITIES[slug].id === tenant);
  return {
    tenant,
    user,
    role: known,
    seesSensitive: SEE_SENSITIVE.includes(known) && (!asksForMore || aal === "aal2"),
  };
}

/** A world in which the project has rights and policies of its own that let everybody do everything. */
interface Around {
  role: "authenticated" | "anon";
  wide: boolean;
  mfa: Slug[];
}

function shows({ tenant, role, user, seesSensitive }: Model, row: Known, around: Around): boolean {
  // an adopted table's ordinary tickets are seen as its own policies say
  if (around.wide && row.table === "tickets" && !row.sensitive) return true;
  if (around.role === "anon") return false;
  if (tenant === undefined || row.tenant !== tenant) return false;
  if (row.sensitive && !seesSensitive) return false;
  switch (row.table) {
    case "municipalities":
      return true;
    case "whatsapp_numbers":
      return role === "admin";
    case "topics":
      return role !== "citizen";
    default:
      return role !== "citizen" || row.owner === user;
  }
}

const SEEN_BY_CALLER = `select jsonb_build_object(
  'tickets', (select jsonb_agg(id) from public.tickets),
  'media_attachments', (select jsonb_agg(file_id) from public.media_attachments),
  'objects', (select jsonb_agg(name) from storage.objects where bucket_id in ('evidence', 'documents', 'gbv-evidence')),
  'inbound_messages', (select jsonb_agg(message_sid) from public.inbound_messages),
  'custody_records', (select jsonb_agg(id) from public.custody_records),
  'custody_audits', (select jsonb_agg(started_at::text) from public.custody_audits),
  'custody_checkpoints', (select jsonb_agg(root) from public.custody_checkpoints),
  'custody_timestamps', (select jsonb_agg(authority) from public.custody_timestamps),
  'whatsapp_numbers', (select jsonb_agg(number) from public.whatsapp_numbers),
  'municipalities', (select jsonb_agg(id) from public.municipalities)
) as it`;

const WIDE_TABLES = [
  ...[
    "tickets",
    "media_attachments",
    "inbound_messages",
    "custody_records",
    "custody_audits",
    "custody_checkpoints",
  ],
  ...["custody_timestamps", "whatsapp_numbers", "municipalities"],
].map((name) => `public.${name}`);
const WIDE_OPEN = [
  ...WIDE_TABLES.map((table) => `grant select, update on ${table} to anon, authenticated;`),
  "grant usage on schema private to anon; grant select on storage.objects, realtime.messages to anon;",
  ...[...WIDE_TABLES, "storage.objects", "realtime.messages"].map((table) =>
    `create policy "wide open" on ${table} for all to public using (true) with check (true);`
  ),
].join("\n");

async function prepare(): Promise<void> {
  for (const slug of SLUGS) {
    const citizen = await person("citizen", slug);
    const { number, gbvNumber } = MUNICIPALITIES[slug];
    const own = await makeTicket(slug, { reporter_id: citizen.userId });
    await makeTicket(slug, { reporter_id: citizen.userId, is_sensitive: true });
    for (const to of [number, gbvNumber]) await accepted(newSender(), to);
    await accepted(newSender(), number, { ticket_id: own.id });
    await ticketFile(citizen, own.id);
    for (const bucket of ["evidence", "documents", "gbv-evidence"] as const) await serviceFile(bucket, slug);
  }
  await call("media-worker", { headers: { apikey: SECRET_KEY, prefer: "wait=60" } }); // makes checkpoints
  await ok(service.rpc("audit_custody"));
  await database((sql) =>
    sql`insert into public.custody_timestamps (tenant_id, size, authority)
      select tenant_id, size, tenant_id || ' ' || size from public.custody_checkpoints`
  );
}

const ROUNDS = Math.ceil(RUNS / 4);

Deno.test(`${ROUNDS} arbitrary tokens: each sees, receives and changes the rows of docs/access.md's table, and no other`, async () => {
  await prepare();
  const users = (await everybody()).map(({ userId }) => userId);
  await database(async (sql) => {
    const rows = await everyRow(sql);
    const tables = [...new Set(rows.map(({ table }) => table))];
    assert(tables.length === 11, tables.join());
    const topics = rows.filter(({ table }) => table === "topics").map(({ id }) => id);
    const surroundings = fc.record<Around>({
      role: fc.oneof({ weight: 3, arbitrary: fc.constant("authenticated") }, fc.constant("anon")),
      wide: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.constant(true)),
      mfa: fc.constantFrom<Slug[]>([], [], ["mbombela"], ["mbombela", "polokwane"]),
    }).filter(({ role, wide }) => role === "authenticated" || wide);
    let readers = 0;

    await holds(ROUNDS, fc.tuple(claimsOf(users), surroundings), async ([claims, around]) => {
      const model = modelOf(claims, around.mfa);
      const ask = () => as(sql, claims, around, topics);
      // policies made for a moment lock tables that the stack's own work holds
      const seen = await ask().catch((error) => {
        if (error.code !== "40P01") throw error;
        return ask();
      });
      const expected: Record<string, string[]> = Object.fromEntries(
        tables.map((table) => [
          table,
          rows.filter((row) => row.table === table && shows(model, row, around)).map(({ id }) => id).sort(),
        ]),
      );
      expected.changed = rows.filter((row) =>
        row.table === "tickets" && shows(model, row, around) &&
        (around.wide && (!row.sensitive || around.role === "authenticated") ||
          (row.sensitive ? SEE_SENSITIVE : WRITE_TICKETS).includes(model.role))
      ).map(({ id }) => id).sort();
      if (seen === undefined) {
        // Postgres itself takes no such token: nothing is seen
        assert(model.tenant === undefined || /\\u0000|\\ud[89a-f]/i.test(JSON.stringify(claims)), "refused");
        return;
      }
      assertEquals(seen, expected);
      if (seen.tickets!.length > 0) readers++;
    });
    assert(readers > ROUNDS / 10, "nearly nobody sees anything: the claims are too odd");
  });
});

class Undo extends Error {}

/** What these claims show, and which tickets they change; undefined where Postgres refuses them. Nothing stays changed. */
async function as(
  sql: postgres.Sql,
  claims: Claims,
  { role, wide, mfa }: Around,
  topics: string[],
): Promise<Record<string, string[]> | undefined> {
  let seen: Record<string, string[] | null> | undefined;
  await sql.begin(async (tx) => {
    const set = (name: string, value: string) => tx`select set_config(${name}, ${value}, true)`;
    const ids = mfa.map((slug) => MUNICIPALITIES[slug].id);
    if (ids.length > 0) {
      await tx`update public.municipalities set gbv_requires_mfa = true where id in ${tx(ids)}`;
    }
    await set("request.jwt.claims", JSON.stringify(claims));
    await set("storage.operation", "storage.object.list_v2");
    if (wide) await tx.unsafe(WIDE_OPEN);
    await tx.unsafe(`set local role ${role}`);
    const [all] = await tx.unsafe(SEEN_BY_CALLER);
    const received: string[] = [];
    for (const topic of topics) {
      await set("realtime.topic", topic);
      const [any] = await tx`select exists (select from realtime.messages where topic = ${topic}) as it`;
      if (any!.it) received.push(topic);
    }
    const changed = await tx`update public.tickets set severity = 'low' returning id`;
    seen = { ...all!.it, topics: received, changed: changed.map(({ id }) => id) };
    throw new Undo();
  }).catch((error) => {
    if (!(error instanceof Undo) && !/^22P0|^22/.test(error.code ?? "")) throw error;
  });
  return seen && Object.fromEntries(
    Object.entries(seen).map(([table, ids]) => [table, (ids ?? []).map(String).sort()]),
  );
}
