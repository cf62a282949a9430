/** What happens beside the trace, in one of the two worlds: GBV reports and their files, and tickets that turn sensitive. */
import type { OwnStack } from "../support/own-stack.ts";
import { below, type Draw, oneOf } from "./trace.ts";
import type { Names } from "./names.ts";

const MBOMBELA = "mbombela";

/** Does one thing, and remembers its ids as hidden. */
export async function somethingHidden(
  own: OwnStack,
  names: Names,
  draw: Draw,
  senders: string[],
): Promise<void> {
  const { stack: { person, service, makeTicket, ok, MUNICIPALITIES, sample }, files, whatsapp } = own;
  const { number, gbvNumber } = MUNICIPALITIES[MBOMBELA];
  const admin = await person("admin", MBOMBELA);
  const photo = async () => ({
    type: "image/jpeg",
    bytes: await sample().bytes() as Uint8Array<ArrayBuffer>,
  });

  async function remember(messageSid: string): Promise<string> {
    const ticket = await whatsapp.ticketOf(messageSid);
    names.hide("ticket", ticket.id);
    names.hide("message", messageSid);
    for (const record of await whatsapp.mediaOf(messageSid)) {
      names.hide("file", record.file_id);
      names.paths.set(record.file_id, record);
    }
    return ticket.id;
  }

  async function report(from: string, to: string): Promise<string> {
    const count = below(draw, 3);
    const pictures = await Promise.all(Array.from({ length: count }, photo));
    const sent = await whatsapp.accepted(from, to, { body: "He hits me", files: pictures });
    if (count > 0) await whatsapp.settled(sent.message_sid, count);
    return await remember(sent.message_sid);
  }

  const acts: (() => Promise<unknown>)[] = [
    // she, whose phone others hold
    () => report(oneOf(draw, senders.slice(0, 2)), gbvNumber),
    () => report(whatsapp.newSender(), gbvNumber),
    async () => {
      const ticket = await makeTicket(MBOMBELA, {
        category: "gbv",
        severity: "critical",
        status: "escalated",
      });
      names.hide("ticket", ticket.id);
      const file = await files.ticketFile(admin, ticket.id);
      names.hide("file", file.fileId);
      names.paths.set(file.fileId, file);
      await files.open(admin, file);
    },
    async () => {
      const file = await files.ownFile(admin, "gbv-evidence");
      names.hide("file", file.fileId);
      names.paths.set(file.fileId, file);
    },
    // an ordinary report that turns sensitive before anybody looks
    async () => {
      const id = await report(whatsapp.newSender(), number);
      const how = oneOf<(() => PromiseLike<unknown>)>(draw, [
        () => admin.supabase.from("tickets").update({ category: "gbv" }).eq("id", id).select(),
        () => service.from("tickets").update({ is_sensitive: true }).eq("id", id).select(),
        () => admin.supabase.rpc("mark_ticket_sensitive", { ticket_id: id }),
      ]);
      await ok(how() as never);
    },
    async () => {
      const id = names.hidden.ticket.at(-1);
      if (!id) return;
      await admin.supabase.functions.invoke("open-report", { body: { ticket_id: id, include_sender: true } });
      await admin.supabase.from("tickets").update({ status: oneOf(draw, ["closed", "in_progress"]) }).eq(
        "id",
        id,
      );
    },
  ];
  await oneOf(draw, acts)();
}
