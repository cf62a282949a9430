/** Who is signed in decides what stands in the page: the sign-in form or the desk, never both, nothing in between. */
import type { Session } from "@supabase/supabase-js";
import { supabase } from "./client.ts";
import { type Desk, openDesk } from "./desk.ts";
import { silence } from "./dom.ts";
import { signInForm } from "./sign-in.ts";

const app = document.getElementById("app")!;
let desk: Desk | undefined;
let shownFor: string | undefined;

supabase.auth.onAuthStateChange((_event, session) => {
  const person = session ? personOf(session) : undefined;
  const key = JSON.stringify(person ?? null);
  if (key === shownFor) return; // a renewed token of the same person
  clear();
  shownFor = key;
  if (person) {
    desk = openDesk({ supabase, ...person, signOut });
    app.replaceChildren(desk.element);
    desk.focus();
  } else {
    app.replaceChildren(signInForm(supabase));
    app.querySelector("input")?.focus();
  }
});

/** What to ask for; what there is to see the database decides, by the same token. */
function personOf({ user }: Session) {
  const { tenant_id, role } = user.app_metadata;
  return { email: user.email ?? "", municipality: String(tenant_id), role: String(role) };
}

/** Everything at once: elements, players, uploads, live channels, timers. */
function clear(): void {
  desk?.close();
  desk = undefined;
  app.replaceChildren();
  document.querySelectorAll("dialog").forEach((dialog) => dialog.remove());
  silence();
}

/** The session goes with it even where the server cannot be reached. */
function signOut(): void {
  clear();
  void supabase.auth.signOut({ scope: "local" });
}
