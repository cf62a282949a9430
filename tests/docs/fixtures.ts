/** What the examples of the pages have at hand: a signed-in client, a file, a ticket with a file, somewhere to show things. */
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import type { Ticket } from "../../client/mod.ts";
import type { Database } from "../../shared/database.types.ts";
import { ticketFile } from "../support/files.ts";
import { call } from "../support/functions.ts";
import {
  makeTicket,
  MUNICIPALITIES,
  person,
  PUBLISHABLE_KEY,
  type Role,
  SECRET_KEY,
  URL_BASE,
} from "../support/stack.ts";

const municipalityId = MUNICIPALITIES.mbombela.id;
const quiet = { autoRefreshToken: false, persistSession: false };

/** A client each of whose requests must succeed: supabase-js tells of failures by a value that an example may not look at. */
function strictClient(key: string, failures: string[]): SupabaseClient<Database> {
  return createClient<Database>(URL_BASE, key, {
    auth: quiet,
    global: {
      fetch: async (input, init) => {
        const response = await fetch(input, init);
        if (!response.ok) {
          failures.push(
            `${response.status} ${new URL(response.url).pathname} ${await response.clone().text()}`,
          );
        }
        return response;
      },
    },
  });
}

/** A ticket of water in Mbombela with one stored and hashed photo, and somebody's token. */
export async function ticketAndFile() {
  const ticket = await makeTicket("mbombela");
  const known = await ticketFile(await person("manager"), ticket.id, { filename: "photo.jpg" });
  await call("media-worker", { headers: { apikey: SECRET_KEY, prefer: "wait=120" } });
  return { ticket_id: ticket.id, file_id: known.fileId, path: known.path, bytes: known.blob };
}

/** For one ts block. `failures`: requests that were refused. */
export async function fixtures(role: Role) {
  const failures: string[] = [];
  const supabase = strictClient(PUBLISHABLE_KEY, failures);
  const { token } = await person(role);
  const { error } = await supabase.auth.setSession({ access_token: token, refresh_token: "none" });
  if (error) throw error;
  const { ticket_id, file_id, path, bytes } = await ticketAndFile();
  const rendered: Ticket[][] = [];
  const shown: unknown[] = [];
  return {
    failures,
    /** Signed in as the block's role, or as a manager. */
    supabase,
    /** With the secret key. */
    service: strictClient(SECRET_KEY, failures),
    municipalityId,
    ticket_id,
    file_id,
    path,
    /** A photo, as a form gives it. */
    file: new File([bytes], "photo.jpg", { type: "image/jpeg" }),
    render: (tickets: Ticket[]) => void rendered.push(tickets),
    rendered,
    show: (what: unknown) => void shown.push(what),
    shown,
  };
}
