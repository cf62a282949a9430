/** A GBV report is read by police liaison and refused to the manager. */
import type { ErrorResponse, OpenReportResponse } from "../../shared/contracts.ts";
import { ok, type Person, person, service } from "../../tests/support/stack.ts";
import type { Checks } from "./checks.ts";

/** Milliseconds until the worker has surely sealed a record. */
const PATIENCE_MS = 15_000;

/** What each is answered, and what the chain of custody says of it. */
export async function readReport(checks: Checks, messageSid: string, words: string, sender: string) {
  const { ticket_id } = await ok(
    service.from("inbound_messages").select("ticket_id").eq("message_sid", messageSid).single(),
  );
  const open = async (reader: Person, include_sender: boolean) => {
    const { data, error } = await reader.supabase.functions.invoke<OpenReportResponse>("open-report", {
      body: { ticket_id, include_sender },
    });
    return error ? (await error.context.json() as ErrorResponse).error.code : data!.messages;
  };
  const liaison = await person("saps_liaison");
  const read = await open(liaison, true);
  const [message] = typeof read === "string" ? [] : read;
  checks.say(`police liaison: “${message?.text}”, from ${message?.sender}`);
  checks.check(
    "police liaison is shown the words and who sent them",
    message?.text === words && message.sender === sender,
  );

  const refused = await open(await person("manager"), false);
  checks.check("the manager is told not_found, as for a ticket that does not exist", refused === "not_found");

  const deadline = Date.now() + PATIENCE_MS;
  let records;
  do {
    await new Promise((resolve) => setTimeout(resolve, 100));
    records = await ok(
      liaison.supabase.from("custody_records").select("seq, recorded_at, event, user_role, details")
        .eq("ticket_id", ticket_id).in("event", ["report_opened", "report_refused"]).order("recorded_at"),
    );
  } while (records.some(({ seq }) => seq === null) && Date.now() < deadline);
  for (const { seq, recorded_at, event, user_role, details } of records) {
    checks.say(
      `chain: ${seq}  ${recorded_at.slice(0, 23)}  ${event}  ${user_role}${
        details.include_sender ? ", with the sender" : ""
      }`,
    );
  }
  checks.check(
    "the chain of custody has both, sealed: that police liaison opened it, and that the manager was refused",
    records.map(({ seq, event, user_role }) => `${typeof seq} ${event} ${user_role}`).join() ===
      "number report_opened saps_liaison,number report_refused manager",
    JSON.stringify(records),
  );
}
