/** What writes, and what reads more than it answers: each taken back, so that the municipality stays as large as it is. */
import type postgres from "postgres";
import { quantile } from "../harness/statistics.ts";
import { claims, pick, type Place, type Role } from "./place.ts";
import type { Operation } from "./reads.ts";
import { asked, medianTime, type Statement, statement, time, TIMEOUT } from "./statements.ts";

/** A seeded municipality and the connections to it. */
export interface Filled {
  place: Place;
  superuser: postgres.Sql;
  /** One connection, as PostgREST's. */
  api: postgres.Sql;
  connect(max: number): postgres.Sql;
  /** Which samples come next. */
  turn: number;
  close(): Promise<void>;
}

export interface Measured {
  name: string;
  goal: number;
  measure(filled: Filled): Promise<number>;
}

const FLAT = 0.1;
const LINEAR = 1;

/** What people and the webhook do to one thing. */
export const ACTS: Operation[] = [
  act("a WhatsApp message with a photo that opens a ticket", "service_role", () => inbound(hex())),
  act(
    "a WhatsApp message with a photo that follows another",
    "service_role",
    (place, turn) => inbound(pick(place.senders, turn)),
  ),
  act(
    "an upload announced",
    "citizen",
    (place, turn) =>
      statement(
        `select * from public.create_upload_slot(purpose => 'evidence', filename => 'photo.jpg', object_name => 'photo.jpg',
          content_type => 'image/jpeg', file_size => 200000, ticket_id => $1)`,
        [pick(place.tickets, turn).id],
      ),
    { sub: (place, turn) => pick(place.tickets, turn).reporter_id! },
  ),
  act(
    "one ticket closed",
    "manager",
    (place, turn) =>
      statement("update public.tickets set status = 'closed' where id = $1 returning 1", [
        pick(place.tickets, turn).id,
      ]),
  ),
  act(
    "one ticket marked sensitive",
    "field_worker",
    (place, turn) =>
      statement("select public.mark_ticket_sensitive(ticket_id => $1)", [pick(place.written, turn).id]),
    { pages: 1500 }, // of what Realtime keeps
  ),
  // its proofs are as many nodes as the tree is high, for each of a file's records
  act(
    "a certificate",
    "saps_liaison",
    (place, turn) =>
      statement("select public.custody_certificate(file_id => $1)", [pick(place.gbvFiles, turn).file_id]),
    { reads: 500, pages: 1500 },
  ),
  act(
    "the log's newest records verified",
    "admin",
    () => statement("select * from public.verify_custody()"),
    { reads: 30_000, mayBeEmpty: true },
  ),
  act("which checkpoint is due", "service_role", () => statement("select public.due_custody_checkpoint()"), {
    reads: 200,
  }),
];

export const WRITES: Measured[] = [
  asSuperuserFirst("a checkpoint kept", async (tx, { tenant }) => {
    const [log] = await tx`
      select size, encode(root, 'hex') as root from private.custody_logs where tenant_id = ${tenant}`;
    return statement(
      `select public.add_custody_checkpoint(municipality_id => $1, size => $2, root => $3, note => 'note', key_id => '5ca1ab1e',
        key_name => 'bench', public_key => 'key', authorities => array['https://stamps.example'])`,
      [tenant, log!.size, log!.root],
    );
  }),
  asSuperuserFirst("5,000 records sealed", async (tx, { tenant }) => {
    await tx`
      insert into public.custody_records (id, tenant_id, file_id, event, recorded_at, details, hash)
      select id, ${tenant}, gen_random_uuid(), 'url_signed', clock_timestamp(), '{}', encode(sha256(uuid_send(id)), 'hex')
      from (select private.new_record_id() as id from generate_series(1, 5000)) made`;
    return statement("select public.seal_custody(5000)");
  }),
  asSuperuserFirst("2,000 records of an audit", async (tx, { tenant }) => {
    await tx`
      insert into public.custody_audits (tenant_id, size, records_checked)
      select tenant_id, size, size / 2 from private.custody_logs where tenant_id = ${tenant}`;
    return statement("select public.audit_custody(2000)");
  }),
  {
    name: "all tickets counted exactly (manager)",
    goal: LINEAR,
    measure: ({ api, place }) =>
      medianTime(api, async () => [
        claims("manager", place),
        (await asked((supabase) => supabase.from("tickets").select("id", { count: "exact", head: true })))[
          0
        ]!,
      ]),
  },
  bulk("a tenth of the tickets closed at once", "manager", "status = 'closed'"),
  bulk("a tenth of the tickets turned sensitive at once", "admin", "is_sensitive = true"),
];

function hex(): string {
  return crypto.randomUUID().replaceAll("-", "");
}

/** What twilio-media asks. */
export function inbound(sender: string): Statement {
  return statement(
    `select public.record_inbound_message(message_sid => $1, channel => 'whatsapp', channel_number => '+27130000001',
      sender_refs => array[$2], kind => 'text', encrypted_payload => $3, media => $4::text::jsonb, body => 'Water runs down the road',
      sealed_with => '5ca1ab1e')`,
    [
      `SM${hex()}`,
      sender,
      `gAAAAA${"x".repeat(1100)}`,
      JSON.stringify([{ filename: "whatsapp-1.jpg", content_type: "image/jpeg" }]),
    ],
  );
}

function act(
  name: string,
  as: Role,
  ask: (place: Place, turn: number) => Statement,
  more: Partial<Operation> = {},
): Operation {
  return { name, as, statement: ask, goal: FLAT, reads: 50, pages: 300, ...more };
}

class Undo extends Error {}

/** What the service asks in a transaction in which a superuser has prepared something. */
function asSuperuserFirst(
  name: string,
  prepare: (tx: postgres.TransactionSql, place: Place) => Promise<Statement>,
): Measured {
  return {
    name: `${name} (service_role)`,
    goal: FLAT,
    async measure({ superuser, place }) {
      const times: number[] = [];
      for (let run = 0; run < 3; run++) {
        await superuser.begin(async (tx) => {
          const { text, params } = await prepare(tx, place);
          await tx`select set_config('role', 'service_role', true), set_config('statement_timeout', ${`${TIMEOUT}`}, true)`;
          const begun = performance.now();
          await tx.unsafe(text, params as never[], { prepare: true });
          times.push(performance.now() - begun);
          throw new Undo();
        }).catch((error) => {
          if (!(error instanceof Undo)) throw error;
        });
      }
      return quantile(times, 0.5);
    },
  };
}

/** One statement on the oldest tenth. What it leaves dead is removed after. */
function bulk(name: string, as: Role, change: string): Measured {
  return {
    name: `${name} (${as})`,
    goal: LINEAR,
    async measure({ api, superuser, place }) {
      const ms = await time(
        api,
        claims(as, place),
        statement(`update public.tickets set ${change} where created_at < $1`, [place.tenthOldest]),
        "force_custom_plan",
      );
      for (const table of ["tickets", "media_attachments", "inbound_messages"]) {
        await superuser`vacuum ${superuser(`public.${table}`)}`;
      }
      return ms;
    },
  };
}
