// Compile time only: client takes a client with our generated types, with somebody's own, and one with none.
import { createClient } from "@supabase/supabase-js";
import { type Database, signedUrls, subscribeToTickets, uploadEvidence } from "../../client/mod.ts";

const untyped = createClient("", "");
const typed = createClient<Database>("", "");
/** A project that has tables besides ours, and lacks some of ours. */
interface Theirs {
  public: {
    Tables: {
      wards: { Row: { id: number }; Insert: { id?: number }; Update: { id?: number }; Relationships: [] };
    };
    Views: Record<never, never>;
    Functions: Record<never, never>;
  };
}
const theirs = createClient<Theirs>("", "");

export function everyClientFits(): void {
  for (const supabase of [untyped, typed, theirs]) {
    void signedUrls(supabase, []);
    void uploadEvidence(supabase, new Blob(), { purpose: "evidence" });
    void subscribeToTickets(supabase, "", {});
  }
}

export async function columnsAreKnown(): Promise<void> {
  const { data } = await typed.from("media_attachments").select("file_id, last_error").single();
  const reason: string | null | undefined = data?.last_error;
  // @ts-expect-error: there is no such column
  void [reason, data.colour];
  // @ts-expect-error: there is no such table
  void typed.from("wards");
  // @ts-expect-error: there is no such function
  void typed.rpc("retry_medium", {});
}
