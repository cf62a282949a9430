/** One ticket with its messages and files, as row-level security lets the user see them. */
import { type AnyClient, type Ticket, TICKET_COLUMNS } from "./types.ts";

/** What a resident wrote. The words of a sensitive ticket are sealed: they are null. */
export interface Message {
  message_sid: string;
  channel: string;
  /** text, location, contact or reply. */
  kind: string;
  body: string | null;
  latitude: number | null;
  longitude: number | null;
  place: string | null;
  received_at: string;
}

export interface TicketFile {
  file_id: string;
  filename: string;
  content_type: string;
  file_size: number | null;
  status: string;
  last_error: string | null;
  source: string;
  bucket: string;
  created_at: string;
  /** The message that it came with, and its place there. */
  message_sid: string | null;
  media_index: number | null;
}

export interface TicketDetails {
  ticket: Ticket;
  /** Oldest first. */
  messages: Message[];
  /** In the order they were sent. */
  files: TicketFile[];
}

const MESSAGE = "message_sid, channel, kind, body, latitude, longitude, place, received_at";
const FILE =
  "file_id, filename, content_type, file_size, status, last_error, source, bucket, created_at, message_sid, media_index";

/** Undefined when there is no such ticket for this user. */
export async function readTicket(
  supabase: AnyClient,
  ticketId: string,
  { signal = new AbortController().signal }: { signal?: AbortSignal } = {},
): Promise<TicketDetails | undefined> {
  const [ticket, messages, files] = await Promise.all([
    supabase.from("tickets").select(TICKET_COLUMNS).eq("id", ticketId).abortSignal(signal).maybeSingle(),
    supabase.from("inbound_messages").select(MESSAGE).eq("ticket_id", ticketId).order("received_at")
      .abortSignal(signal),
    supabase.from("media_attachments").select(FILE).eq("ticket_id", ticketId).order("created_at")
      .order("media_index").abortSignal(signal),
  ]);
  const error = ticket.error ?? messages.error ?? files.error;
  if (error) throw new Error(error.message, { cause: error });
  if (!ticket.data) return undefined;
  return {
    ticket: ticket.data as unknown as Ticket,
    messages: messages.data as unknown as Message[],
    files: files.data as unknown as TicketFile[],
  };
}
