/** Opens what residents wrote in a sensitive ticket. Each call is recorded as a reading before anything is decrypted. */
import type { OpenedMessage } from "./contracts.ts";
import { ofFunction } from "./errors.ts";
import type { AnyClient } from "./types.ts";

export type { OpenedMessage };

export interface ReportOptions {
  includeSender?: boolean;
  /** Up to 100 of the ticket's messages; unless given, its first 100. */
  messageSids?: string[];
}

export async function openReport(
  supabase: AnyClient,
  ticketId: string,
  { includeSender = false, messageSids }: ReportOptions = {},
): Promise<OpenedMessage[]> {
  const { data, error } = await supabase.functions.invoke<{ messages: OpenedMessage[] }>("open-report", {
    body: {
      ...messageSids ? { message_sids: messageSids } : { ticket_id: ticketId },
      include_sender: includeSender,
    },
  });
  if (error) throw await ofFunction(error);
  return data!.messages;
}
