/**
 * Plays a trace on a stack of its own and prints what each actor got, a line a step: `play.ts SEED STEPS with|without`.
 * `with`: GBV reports, their files and flips happen beside it.
 */
import { createClient, type RealtimeChannel } from "@supabase/supabase-js";
import { ownStack } from "../support/own-stack.ts";
import { somethingHidden } from "./beside.ts";
import { Names } from "./names.ts";
import { estimates } from "./estimates.ts";
import { type Actor, ACTORS, drawFrom, type Ref, type Step, traceOf } from "./trace.ts";

const [seed, length, world] = [Number(Deno.args[0]), Number(Deno.args[1]), Deno.args[2]];
const hidden = world === "with";
const own = await ownStack();
const { stack, functions, whatsapp } = own;
const { URL_BASE, PUBLISHABLE_KEY, SECRET_KEY, MUNICIPALITIES, service, ok } = stack;
const { mbombela, polokwane } = MUNICIPALITIES;

const names = new Names();
const THIRD = crypto.randomUUID();
const senders = [whatsapp.newSender(), whatsapp.newSender(), whatsapp.newSender()];

interface Someone {
  actor: Actor;
  tenant: string;
  token?: string;
  userId?: string;
}

async function someone(actor: Actor): Promise<Someone> {
  const [role, , slug] = actor.split(" ");
  if (actor === "anonymous") return { actor, tenant: mbombela.id };
  const { token, tenant, userId } = await stack.person(role as "admin", slug as "mbombela");
  names.name(userId, actor);
  return { actor, tenant, token, userId };
}

/** What came back of a request: all that its caller can tell two worlds apart by. */
async function ask(
  who: Someone,
  method: string,
  path: string,
  body?: unknown,
  more: Record<string, string> = {},
) {
  const headers = new Headers({ apikey: PUBLISHABLE_KEY, ...more });
  if (who.token) headers.set("authorization", `Bearer ${who.token}`);
  if (body !== undefined && !headers.has("content-type")) headers.set("content-type", "application/json");
  const raw = body === undefined || body instanceof Blob ? body : JSON.stringify(body);
  const response = await fetch(`${URL_BASE}${path}`, { method, headers, body: raw });
  const bytes = await response.bytes();
  const text = new TextDecoder().decode(bytes);
  let answer: unknown = text.startsWith("{") || text.startsWith("[")
    ? JSON.parse(text)
    : `${bytes.length} bytes`;
  if (typeof answer === "string" && text.length < 500) answer = text;
  return { status: response.status, range: response.headers.get("content-range"), answer };
}

function resolve(sort: keyof Names["known"], { of, at }: Ref): string {
  const list = of === "known" ? names.known[sort] : hidden ? names.hidden[sort] : [];
  if (list.length > 0) return list[at % list.length]!;
  const nobodys = sort === "message" ? `SM${crypto.randomUUID().replaceAll("-", "")}` : crypto.randomUUID();
  names.name(nobodys, `hidden ${sort}`);
  return nobodys;
}

function placeOf(tenant: string, fileId: string): { bucket?: string; path: string } {
  return names.paths.get(fileId) ?? { path: `${tenant}/${fileId}/whatsapp-1.jpg` };
}

/** Takes new tickets, messages and files of both worlds into the names, in the order in which they came. */
async function learn(): Promise<void> {
  for (
    const { id } of await own
      .superuser`select id from public.tickets order by created_at, tenant_id, category, description`
  ) {
    names.know("ticket", id);
  }
  for (
    const { message_sid } of await own
      .superuser`select message_sid from public.inbound_messages order by received_at`
  ) {
    names.know("message", message_sid);
  }
  const files = await own
    .superuser`select file_id, bucket, path from public.media_attachments order by created_at, media_index`;
  for (const { file_id, bucket, path } of files) {
    names.know("file", file_id);
    if (!names.paths.has(file_id)) names.paths.set(file_id, { bucket, path });
  }
}

// What is heard live ---------------------------------------------------------------------------------------------------

interface Heard {
  event: string;
  payload: Record<string, unknown>;
}

const clients: { removeAllChannels(): Promise<unknown> }[] = [];

async function listen(who: Someone, topic: string, replay?: { since: number; limit: number }) {
  const client = createClient(URL_BASE, PUBLISHABLE_KEY, {
    auth: { persistSession: false, autoRefreshToken: false },
  });
  clients.push(client);
  if (who.token) await client.realtime.setAuth(who.token);
  const heard: Heard[] = [];
  const config = { private: true, broadcast: { replication_ready: true, ...(replay ? { replay } : {}) } };
  const channel: RealtimeChannel = client.channel(topic, { config } as never);
  const state = await new Promise<string>((resolve) => {
    channel.on("broadcast", { event: "*" }, ({ event, payload }) => void heard.push({ event, payload }));
    channel.on("system", {}, ({ message }: { message: string }) => {
      if (message === "Replication connection established") resolve("joined");
    });
    channel.subscribe((state, error) => {
      if (state === "CHANNEL_ERROR" || state === "TIMED_OUT") resolve(`${state} ${error?.message}`);
    });
  });
  return { heard, state, close: () => client.removeAllChannels() };
}

let marks = 0;

/** All that was sent before has been heard: a mark sent after it has, again and again until it is there. */
async function heardAll(listeners: { heard: Heard[] }[], tenant: string, sensitive = false): Promise<void> {
  const mark = ++marks;
  const isHeard = () => listeners.every(({ heard }) => heard.some(({ payload }) => payload.mark === mark));
  for (let tries = 0; tries < 30 && !isHeard(); tries++) {
    const { error } = await service.rpc("publish_municipality_event", {
      municipality_id: tenant,
      event: { mark },
      sensitive,
    });
    if (error) throw error;
    await functions.until("the mark is heard", isHeard, 2000).catch(() => {});
  }
  if (!isHeard()) throw new Error("a mark is not heard");
}

const ticketOf = ({ payload }: Heard) => String(payload.ticket_id ?? "");

/**
 * What may differ, as docs/access.md says: that a ticket went (DELETE). Of one that only this world has had, those who listened
 * heard all until it went, and those who join later that it went. Of one that goes in both, nothing earlier is replayed
 * where it turned sensitive; where it went to another municipality it is left out here.
 */
function comparable(heard: Heard[], replayed: boolean): Heard[] {
  const went = new Set(heard.filter(({ payload }) => payload.type === "DELETE").map(ticketOf));
  return heard.filter((one) => {
    const id = ticketOf(one);
    if (one.payload.mark !== undefined) return false;
    if (!went.has(id)) return true;
    if (names.isHidden(id)) return replayed && one.payload.type !== "DELETE";
    return !replayed || hidden || one.payload.type === "DELETE";
  });
}

// The steps ------------------------------------------------------------------------------------------------------------

const everyone = new Map<Actor, Someone>();
/** When each step began. */
const begun: number[] = [];
/** As many events are replayed at most. */
const MOST = 25;

async function take(step: Step): Promise<unknown> {
  const who = "actor" in step ? everyone.get(step.actor)! : undefined!;
  switch (step.do) {
    case "message": {
      const { sender, gbvNumber, channel, kind } = step;
      // only the third of them reports within the trace: a phone knows what itself has sent
      const to = gbvNumber && sender === 2 ? mbombela.gbvNumber : mbombela.number;
      const bytes = await stack.sample().bytes() as Uint8Array<ArrayBuffer>;
      const files = Array.from({ length: step.files }, () => ({ type: "image/jpeg", bytes }));
      const params: Record<string, string> = kind === "location"
        ? { Latitude: "-25.47", Longitude: "30.97" }
        : kind === "opt_out"
        ? { OptOutType: "STOP" }
        : {};
      const message = { body: "A burst pipe", files, params };
      const sent = await whatsapp.twilio.sendMessage({
        ...message,
        from: channel + senders[sender],
        to: channel + to,
      });
      if (step.files > 0) await whatsapp.settled(sent.message_sid, step.files);
      return { status: sent.status, body: sent.body };
    }
    case "list": {
      const prefer = step.count ? { prefer: `count=${step.count}` } : undefined;
      const { status, range, answer } = await ask(
        who,
        "GET",
        `/rest/v1/${step.table}?${step.filter}`,
        undefined,
        prefer,
      );
      return { status, range, rows: inOrder(answer) };
    }
    case "planned":
      return await estimates(own.superuser, who.token ? functions.claimsOf(who.token) : undefined);
    case "rpc":
      return await ask(who, "POST", `/rest/v1/rpc/${step.name}`, argumentsOf(step, who));
    case "function": {
      const [ticket_id, file_id] = [resolve("ticket", step.ticket), resolve("file", step.file)];
      const body = {
        "upload-url": {
          purpose: step.bucket,
          filename: "a.jpg",
          content_type: "image/jpeg",
          file_size: 2000,
          ticket_id,
        },
        "signed-url": { files: [{ file_id }, placed(placeOf(who.tenant, file_id), step.bucket)] },
        "open-report": step.ticket.at % 2 === 0
          ? { ticket_id }
          : { message_sids: [resolve("message", step.message)] },
      }[step.name];
      return await ask(who, "POST", `/functions/v1/${step.name}`, body);
    }
    case "storage":
      return await store(step, who);
    case "write":
      return await write(step, who);
    case "replay": {
      const topic = `municipality:${who.tenant}${step.gbvTopic ? ":gbv" : ""}`;
      const joined = await listen(who, topic, { since: begun.at(-5) ?? begun[0]!, limit: MOST });
      if (joined.state === "joined") await heardAll([joined], who.tenant, step.gbvTopic);
      await joined.close();
      await learn();
      if (joined.heard.length > MOST) return "full";
      return { state: joined.state, heard: inOrder(comparable(joined.heard, true).map(without("id"))) };
    }
    case "gone": {
      const id = names.desk[step.at % names.desk.length];
      // one with files cannot go to another municipality
      if (
        !id || (await own.superuser`select from public.media_attachments where ticket_id = ${id}`).length > 0
      ) return "none";
      names.desk.splice(names.desk.indexOf(id), 1);
      const admin = await stack.person("admin");
      if (!hidden) await ok(service.from("tickets").update({ tenant_id: THIRD }).eq("id", id).select());
      else if (step.how === "marked") {
        await ok(admin.supabase.rpc("mark_ticket_sensitive", { ticket_id: id }));
      } else {
        const change = step.how === "flag" ? { is_sensitive: true } : { category: "gbv" };
        await ok(admin.supabase.from("tickets").update(change).eq("id", id).select());
      }
      return "gone";
    }
    case "worker":
      for (let rounds = 0, done = 1; done > 0 && rounds < 10; rounds++) {
        const { body } = await functions.call("media-worker", {
          headers: { apikey: SECRET_KEY, prefer: "wait=120" },
        });
        done = body.done + body.failed;
      }
      return "worked";
  }
}

const without = (field: string) => ({ event, payload }: Heard) => ({
  event,
  payload: { ...payload, [field]: undefined },
});

const placed = ({ path }: { path: string }, bucket: string) => ({ bucket, path });

/** Rows in an order that is the same in both worlds: by their names. */
function inOrder(answer: unknown): unknown {
  if (!Array.isArray(answer)) return answer;
  return (names.plain(answer) as unknown[]).map((row) => JSON.stringify(row)).sort().map((row) =>
    JSON.parse(row)
  );
}

function argumentsOf(
  { name, ticket, file, message }: Step & { do: "rpc" },
  who: Someone,
): Record<string, unknown> {
  const [ticket_id, file_id] = [resolve("ticket", ticket), resolve("file", file)];
  const message_sid = resolve("message", message);
  const all: Record<string, Record<string, unknown>> = {
    mark_ticket_read: { ticket_id },
    mark_ticket_sensitive: { ticket_id },
    move_message: { message_sid, ticket_id: ticket.at % 3 === 0 ? null : ticket_id },
    other_tickets_of_sender: { ticket_id },
    open_messages: message.at % 2 === 0
      ? { request_id: "x", ticket_id }
      : { request_id: "x", message_sids: [message_sid] },
    open_evidence: { files: [{ file_id }, placeOf(who.tenant, file_id)], request_id: "x" },
    create_upload_slot: {
      purpose: "evidence",
      filename: "a.jpg",
      object_name: "a.jpg",
      content_type: "image/jpeg",
      file_size: 2000,
      ticket_id,
    },
    retry_media: { file_id },
    custody_proof: { file_id },
    custody_certificate: { file_id },
    custody_consistency: { old_size: 1 },
    custody_bundle: { tracking_number: "TKT-20260101-ABCDEF" },
    verify_custody: {},
    publish_municipality_event: { municipality_id: who.tenant, event: { a: 1 } },
    route_inbound_message: { channel: "sms", channel_number: mbombela.number, sender_refs: ["x".repeat(20)] },
    claim_media_work: {},
    search_tickets: ticket.of === "hidden"
      ? { words: "burst pip" }
      : { words: "tkt", page_size: 2, sort: "created_at" },
  };
  return all[name]!;
}

async function store({ what, bucket, file }: Step & { do: "storage" }, who: Someone): Promise<unknown> {
  const fileId = resolve("file", file);
  const place = placeOf(who.tenant, fileId);
  const at = `${place.bucket ?? bucket}/${place.path}`;
  const list = async (prefix: string) => {
    const { status, answer } = await ask(who, "POST", `/storage/v1/object/list/${bucket}`, {
      prefix,
      limit: 1000,
    });
    return { status, rows: inOrder(answer) };
  };
  switch (what) {
    case "list":
      return await list(`${who.tenant}/`);
    case "list file":
      return await list(`${who.tenant}/${fileId}`);
    case "download":
      return await ask(who, "GET", `/storage/v1/object/authenticated/${at}`);
    case "sign":
      return await ask(who, "POST", `/storage/v1/object/sign/${at}`, { expiresIn: 60 });
    case "info":
      return await ask(who, "GET", `/storage/v1/object/info/${at}`);
    case "delete": {
      const refused = await ask(who, "DELETE", `/storage/v1/object/${at}`);
      // Storage itself tells who names a file's whole path that there is one: docs/access.md says so
      return file.of === "hidden" && refused.status >= 400 ? "refused" : refused;
    }
    default: {
      const path = `${who.tenant}/${crypto.randomUUID()}/photo.jpg`;
      return await ask(who, "POST", `/storage/v1/object/${bucket}/${path}`, stack.sample(), {
        "content-type": "image/jpeg",
      });
    }
  }
}

async function write({ what, ticket, file }: Step & { do: "write" }, who: Someone): Promise<unknown> {
  const prefer = { prefer: "return=representation,count=exact" };
  const ticketId = resolve("ticket", ticket);
  const insertFile = async (createdBy: string | undefined) => {
    const file_id = crypto.randomUUID();
    names.name(file_id, "a file");
    return await ask(who, "POST", "/rest/v1/media_attachments", {
      file_id: file.of === "hidden" ? resolve("file", file) : file_id,
      tenant_id: who.tenant,
      ticket_id: ticketId,
      bucket: "evidence",
      path: `${who.tenant}/${file_id}/a.jpg`,
      filename: "a.jpg",
      content_type: "image/jpeg",
      file_size: 2000,
      purpose: "evidence",
      created_by: createdBy,
    }, prefer);
  };
  switch (what) {
    case "insert ticket":
    case "insert gbv": {
      const category = what === "insert gbv" ? "gbv" : "roads";
      const made = await ask(who, "POST", "/rest/v1/tickets", { tenant_id: who.tenant, category }, prefer);
      const [row] = Array.isArray(made.answer) ? made.answer : [];
      if (row && row.tenant_id === mbombela.id) names.desk.push(row.id);
      return made;
    }
    case "patch":
      return await ask(who, "PATCH", `/rest/v1/tickets?id=eq.${ticketId}`, { severity: "high" }, prefer);
    case "patch all": {
      const { status, range, answer } = await ask(who, "PATCH", "/rest/v1/tickets?severity=eq.high", {
        severity: "low",
      }, prefer);
      return { status, range, rows: inOrder(answer) };
    }
    case "delete":
      return await ask(who, "DELETE", `/rest/v1/tickets?id=eq.${ticketId}`);
    case "insert file":
      return await insertFile(who.userId);
    default:
      return await insertFile((await stack.person("admin")).userId);
  }
}

// The play -------------------------------------------------------------------------------------------------------------

try {
  for (const actor of ACTORS) everyone.set(actor, await someone(actor));
  names.name((await stack.person("admin")).userId, "admin of mbombela");
  for (const [slug, { id }] of Object.entries(MUNICIPALITIES)) names.name(id, slug);
  names.name(THIRD, "third");
  await ok(
    service.from("municipalities").insert({ id: THIRD, slug: "third", name: "Third", language: "en" })
      .select(),
  );
  // no table is empty: the planner knows that of one
  await own.files.serviceFile("evidence", "polokwane");
  await whatsapp.accepted(whatsapp.newSender(), polokwane.number);
  await learn();
  for (let n = 0; n < 2; n++) names.desk.push((await stack.makeTicket("mbombela")).id);
  const listeners = await Promise.all(
    (["field_worker of mbombela", "manager of mbombela", "admin of polokwane"] as const).map(async (
      actor,
    ) => ({
      actor,
      tenant: everyone.get(actor)!.tenant,
      ...await listen(everyone.get(actor)!, `municipality:${everyone.get(actor)!.tenant}`),
    })),
  );
  const draw = drawFrom(seed + 1);
  const answers: unknown[] = [];
  for (const step of traceOf(seed, length)) {
    begun.push(Date.now());
    for (let acts = Math.floor(draw() * 3); hidden && acts > 0; acts--) {
      await somethingHidden(own, names, draw, senders);
    }
    const answer = await take(step);
    await learn();
    answers.push({ step, answer: names.plain(answer) });
  }
  for (const tenant of [mbombela.id, polokwane.id]) {
    await heardAll(listeners.filter((one) => one.tenant === tenant), tenant);
  }
  for (const { actor, heard } of listeners) {
    answers.push({
      step: { do: "listened", actor },
      answer: inOrder(comparable(heard, false).map(without("id"))),
    });
  }
  console.log(JSON.stringify(answers));
} finally {
  await Promise.all(clients.map((client) => client.removeAllChannels()));
  await own.superuser.end();
  await own.supabase.stop();
}
Deno.exit(0);
