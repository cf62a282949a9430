/** The steps of a trace, each taken as its actor would. */
import { estimates } from "./estimates.ts";
import type { Actor, Step } from "./trace.ts";
import {
  ask,
  functions,
  hidden,
  learn,
  mbombela,
  names,
  ok,
  own,
  placeOf,
  resolve,
  SECRET_KEY,
  senders,
  service,
  type Someone,
  stack,
  THIRD,
  whatsapp,
} from "./world.ts";
import { comparable, type Heard, heardAll, listen } from "./heard.ts";

export const everyone = new Map<Actor, Someone>();
/** When each step began. */
export const begun: number[] = [];
/** As many events are replayed at most. */
const MOST = 25;

export async function take(step: Step): Promise<unknown> {
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

export const without = (field: string) => ({ event, payload }: Heard) => ({
  event,
  payload: { ...payload, [field]: undefined },
});

const placed = ({ path }: { path: string }, bucket: string) => ({ bucket, path });

/** Rows in an order that is the same in both worlds: by their names. */
export function inOrder(answer: unknown): unknown {
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
    list_tickets: ticket.of === "hidden"
      ? { ids: [ticket_id] }
      : { status: ["open", "closed"], page_size: 2, sort: "created_at" },
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
    const { status, answer } = await ask(who, "POST", `/storage/v1/object/list-v2/${bucket}`, {
      prefix,
      limit: 1000,
    });
    return { status, rows: inOrder((answer as { objects?: unknown }).objects) };
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
