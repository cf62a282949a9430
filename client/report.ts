/** Opens what residents wrote in a sensitive ticket. Each call is recorded as a reading before anything is decrypted. */
import type { OpenedMessage } from "./contracts.ts";
import { ofFunction } from "./errors.ts";
import type { AnyClient } from "./types.ts";

export type { OpenedMessage };

export async function openReport(
  supabase: AnyClient,
  ticketId: string,
  { includeSender = false }: { includeSender?: boolean } = {},
): Promise<OpenedMessage[]> {
  const { data, error } = await supabase.functions.invoke<{ messages: OpenedMessage[] }>("open-report", {
    body: { ticket_id: ticketId, include_sender: includeSender },
  });
  if (error) throw await ofFunction(error);
  return data!.messages;
}
