/** What people and functions ask for, each of which should cost the same however much is stored. */
import type { SupabaseClient } from "@supabase/supabase-js";
import type { Connection } from "../../client/connection.ts";
import { readTickets, readWindow } from "../../client/reading.ts";
import { readTicket } from "../../client/ticket.ts";
import { TICKET_COLUMNS, type TicketWindow } from "../../client/types.ts";
import { pick, type Place, type Role, type Ticket } from "./place.ts";
import { asked, type Planning, type Statement, statement } from "./statements.ts";

/** One thing that is asked of the database. */
export interface Operation {
  name: string;
  as: Role;
  /** Who asks, where it matters. */
  sub?: (place: Place, turn: number) => string;
  statement: (place: Place, turn: number) => Promise<Statement> | Statement;
  /** The slope that it may have. */
  goal: number;
  /** Rows that it may read, and pages that it may look at besides, for each row that it answers; default 10 and 40. */
  reads?: number;
  pages?: number;
  /** Whether there may be no row to answer. */
  mayBeEmpty?: boolean;
  /** How it can come to be planned; default in all ways. */
  plans?: readonly Planning[];
}

const FLAT = 0.1;
const ACTIVE = ["open", "in_progress", "escalated"];

export const READS: Operation[] = [
  table(
    "newest 100 tickets",
    "field_worker",
    (from) => from("tickets").select(TICKET_COLUMNS).order("created_at", { ascending: false }).limit(100),
  ),
  table(
    "newest 100 tickets, admin",
    "admin",
    (from) => from("tickets").select(TICKET_COLUMNS).order("created_at", { ascending: false }).limit(100),
  ),
  table(
    "1,000 tickets behind a place deep in the list",
    "field_worker",
    (from, place) =>
      from("tickets").select(TICKET_COLUMNS).lt("created_at", deep(place).created_at)
        .order("created_at", { ascending: false }).limit(1000),
  ),
  table(
    "tickets changed in ten minutes",
    "field_worker",
    (from, { lately }) =>
      from("tickets").select(TICKET_COLUMNS).gte("updated_at", lately).order("updated_at", {
        ascending: false,
      }),
  ),
  table(
    "open tickets, the 50 latest changes",
    "field_worker",
    (from) =>
      from("tickets").select(TICKET_COLUMNS).eq("status", "open").order("updated_at", { ascending: false })
        .limit(50),
  ),
  table(
    "open tickets, 50 deep in the list",
    "field_worker",
    (from, place) =>
      from("tickets").select(TICKET_COLUMNS).eq("status", "open").lt("updated_at", deep(place).updated_at)
        .order("updated_at", { ascending: false }).limit(50),
  ),
  table(
    "escalated tickets, the 50 latest changes",
    "field_worker",
    (from) =>
      from("tickets").select(TICKET_COLUMNS).eq("status", "escalated").order("updated_at", {
        ascending: false,
      })
        .limit(50),
  ),
  clientWindow("a dashboard's list", "field_worker", {}),
  clientWindow("a dashboard's list, continued deep", "field_worker", { limit: 500 }, deep),
  clientWindow("a dashboard's list by opening", "field_worker", { order: "created_at" }),
  clientWindow("a dashboard's list by opening, continued deep", "field_worker", {
    order: "created_at",
    limit: 500,
  }, deep),
  clientWindow("a dashboard's list of active tickets", "field_worker", { filter: { status: ACTIVE } }),
  clientWindow("a dashboard's list of active tickets, continued deep", "field_worker", {
    filter: { status: ACTIVE },
    limit: 500,
  }, deep),
  clientWindow("a dashboard's list of a category and severity", "field_worker", {
    filter: { category: ["water"], severity: ["high"] },
  }),
  clientWindow("a dashboard's list, GBV included", "admin", {}, undefined, true),
  clientWindow(
    "a dashboard's list of GBV alone",
    "admin",
    { filter: { sensitive: true } },
    undefined,
    true,
  ),
  {
    ...clientWindow("a dashboard's list of what was opened since a day", "field_worker", ({ lately }) => ({
      filter: { since: new Date(Date.parse(lately) - 86_400_000).toISOString() },
    })),
    reads: 30, // as many as a day has
  },
  clientWindow("a dashboard's search by number", "field_worker", (place, turn) => ({
    filter: { number: pick(place.tickets, turn).tracking_number },
  })),
  {
    ...read("tickets that changed, looked at again by id", "field_worker", async (place) => {
      const ids = place.tickets.map(({ id }) => id);
      return (await asked((supabase) => readTickets(source(supabase, place), connection, {}, ids)))[0]!;
    }),
    reads: 4, // pages for each, if they are looked up
  },
  table(
    "a citizen's own tickets",
    "citizen",
    (from) => from("tickets").select(TICKET_COLUMNS).order("created_at", { ascending: false }).limit(100),
    reporter,
  ),
  clientWindow(
    "a citizen's own tickets, as a dashboard lists them",
    "citizen",
    {},
    undefined,
    false,
    reporter,
  ),
  table(
    "a citizen's own tickets, asked for by their id",
    "citizen",
    (from, place, turn) =>
      from("tickets").select(TICKET_COLUMNS).eq("reporter_id", reporter(place, turn))
        .order("created_at", { ascending: false }).limit(100),
    reporter,
  ),
  table(
    "a citizen's own files, asked for by their id",
    "citizen",
    (from, place, turn) =>
      from("media_attachments").select("*").eq("created_by", reporter(place, turn))
        .order("created_at", { ascending: false }).limit(100),
    reporter,
  ),
  table(
    "a citizen's own files",
    "citizen",
    (from) => from("media_attachments").select("*").order("created_at", { ascending: false }).limit(100),
    reporter,
  ),
  ...(["the ticket", "the messages", "the files"].map((what, nth) =>
    read(`one ticket opened: ${what}`, "field_worker", async (place, turn) => {
      const { id } = pick(nth === 1 ? place.written : place.tickets, turn);
      return (await asked((supabase) => readTicket(supabase, id)))[nth]!;
    })
  )),
  read(
    "one ticket opened by its citizen: the messages",
    "citizen",
    async (place, turn) => {
      const { id } = pick(place.answered, turn);
      return (await asked((supabase) => readTicket(supabase, id)))[1]!;
    },
    (place, turn) => pick(place.answered, turn).reporter_id!,
  ),
  read("how many tickets there are", "manager", () => statement("select * from public.ticket_counts()")),
  table(
    "newest 100 files",
    "field_worker",
    (from) => from("media_attachments").select("*").order("created_at", { ascending: false }).limit(100),
  ),
  table(
    "files by hash",
    "field_worker",
    (from, place, turn) =>
      from("media_attachments").select("file_id").eq("sha256", pick(place.files, turn).sha256)
        .eq("status", "stored").order("created_at").limit(100),
  ),
  table(
    "the files to look after",
    "field_worker",
    (from) =>
      from("media_backlog").select("file_id, ticket_id, filename, situation, reason, since").order("since")
        .limit(101),
  ),
  table(
    "an officer's latest readings of evidence",
    "saps_liaison",
    (from, { officer }) =>
      from("evidence_access_log").select("*").eq("user_id", officer).order("accessed_at", {
        ascending: false,
      })
        .limit(100),
  ),
  read(
    "open_evidence of an ordinary file",
    "field_worker",
    (place, turn) => openEvidence([{ file_id: pick(place.files, turn).file_id }]),
  ),
  read(
    "open_evidence of an ordinary file, by its path",
    "field_worker",
    (place, turn) => openEvidence([{ bucket: "evidence", path: pick(place.files, turn).path }]),
  ),
  read(
    "open_evidence of a GBV file",
    "saps_liaison",
    (place, turn) => openEvidence([{ file_id: pick(place.gbvFiles, turn).file_id }]),
  ),
  read(
    "open_evidence of a citizen's own file",
    "citizen",
    (place, turn) => openEvidence([{ file_id: pick(place.files, turn).file_id }]),
    uploader,
  ),
  read(
    "open_messages of an ordinary ticket",
    "manager",
    (place, turn) => openMessages(pick(place.written, turn)),
  ),
  read(
    "open_messages of a GBV report",
    "saps_liaison",
    (place, turn) => openMessages(pick(place.reports, turn)),
  ),
  {
    ...read(
      "other tickets of a report's sender",
      "admin",
      (place, turn) =>
        statement("select * from public.other_tickets_of_sender(ticket_id => $1)", [
          pick(place.reports, turn).id,
        ]),
    ),
    reads: 50,
    pages: 100,
    mayBeEmpty: true,
  },
  storage(
    "one name to be signed",
    "object.sign",
    (place, turn) => [`select * from storage.objects where name = $1 and bucket_id = $2 limit 1`, [
      pick(place.files, turn).path,
      "evidence",
    ]],
  ),
  storage(
    "one name to be read",
    "object.get_authenticated",
    (place, turn) => [`select * from storage.objects where name = $1 and bucket_id = $2 limit 1`, [
      pick(place.files, turn).path,
      "evidence",
    ]],
  ),
  storage(
    "100 names to be signed",
    "object.sign_many",
    (place) => [`select name from storage.objects where bucket_id = $1 and name = any ($2)`, [
      "evidence",
      place.files.map(({ path }) => path),
    ]],
  ),
  storage(
    "a file's folder listed, v2",
    "object.list_v2",
    (place, turn) => listV2(folder(pick(place.files, turn).path)),
  ),
  storage(
    "a page of the municipality's folder, v2",
    "object.list_v2",
    ({ tenant }) => listV2(`${tenant}/`),
  ),
  // a user's token lists nothing so, and that must cost nothing
  {
    ...storage("a file's folder listed, v1", "object.list", (place, turn) => {
      const prefix = folder(pick(place.files, turn).path);
      return [`select * from storage.search($1, $2, $3, $4, $5, $6, $7, $8)`, [
        prefix,
        "evidence",
        100,
        prefix.split("/").length,
        0,
        "",
        "name",
        "asc",
      ]];
    }),
    mayBeEmpty: true,
  },
];

type From = SupabaseClient["from"];

function read(name: string, as: Role, make: Operation["statement"], sub?: Operation["sub"]): Operation {
  return { name, as, statement: make, sub, goal: FLAT };
}

/** What supabase-js asks of a table. */
function table(
  name: string,
  as: Role,
  query: (from: From, place: Place, turn: number) => PromiseLike<unknown>,
  sub?: Operation["sub"],
): Operation {
  return read(
    name,
    as,
    async (place, turn) =>
      (await asked((supabase) => query(((table: string) => supabase.from(table)) as From, place, turn)))[0]!,
    sub,
  );
}

/** What the client's live list asks for; `behind` for the second page, behind that ticket. */
function clientWindow(
  name: string,
  as: Role,
  window: TicketWindow | ((place: Place, turn: number) => TicketWindow),
  behind?: (place: Place) => Ticket,
  sensitive = false,
  sub?: Operation["sub"],
): Operation {
  return read(name, as, async (place, turn) => {
    const wanted = typeof window === "function" ? window(place, turn) : window;
    let pages = 0;
    const statements = await asked(
      (supabase) => readWindow({ ...source(supabase, place), sensitive }, connection, wanted, () => true),
      () => {
        if (!behind || pages++) return [];
        const last = behind(place);
        return Array.from(
          { length: 100 },
          (_, n) => n === 99 ? { ...last } : { ...last, id: crypto.randomUUID() },
        );
      },
    );
    return statements.at(-1)!;
  }, sub);
}

function storage(
  name: string,
  operation: string,
  query: (place: Place, turn: number) => [text: string, params: unknown[]],
): Operation {
  return {
    ...read(`Storage: ${name}`, "field_worker", (place, turn) => {
      const [text, params] = query(place, turn);
      return statement(text, params, { "storage.operation": `storage.${operation}` });
    }),
    plans: ["force_custom_plan"], // it prepares nothing
  };
}

function listV2(prefix: string): [string, unknown[]] {
  return [
    `select id, name, updated_at, created_at, last_accessed_at, metadata from storage.objects
    where bucket_id = $1 and name like $2 order by name collate "C" limit 1001`,
    ["evidence", `${prefix}%`],
  ];
}

function openEvidence(files: unknown): Statement {
  return statement("select * from public.open_evidence(files => $1::text::jsonb, request_id => $2)", [
    JSON.stringify(files),
    "request",
  ]);
}

function openMessages({ id }: Ticket): Statement {
  return statement("select * from public.open_messages(request_id => $1, ticket_id => $2)", ["request", id]);
}

const folder = (path: string) => path.slice(0, path.lastIndexOf("/") + 1);
function reporter(place: Place, turn: number): string {
  return pick(place.tickets, turn).reporter_id!;
}

function uploader(place: Place, turn: number): string {
  return pick(place.files, turn).created_by!;
}

/** A ticket far behind the newest, and far from the oldest. */
function deep({ tickets }: Place): Ticket {
  return tickets.toSorted((a, b) => a.created_at < b.created_at ? -1 : 1)[Math.floor(tickets.length * 0.7)]!;
}

const connection = { signal: new AbortController().signal, end() {} } as unknown as Connection;

function source(supabase: SupabaseClient, { tenant }: Place) {
  return { supabase, municipalityId: tenant, sensitive: false };
}
