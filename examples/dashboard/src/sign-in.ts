/** The sign-in form. In a local trial it offers the demo users, with their password filled in. */
import type { Client } from "./client.ts";
import { h, select } from "./dom.ts";
import { ROLE } from "./words.ts";

// Never part of a production build, whatever is set.
const isTrial = import.meta.env.MODE === "trial";
const demoUsers: string[] = isTrial ? (import.meta.env.VITE_DEMO_USERS ?? "").split(",").filter(Boolean) : [];
const demoPassword: string = isTrial ? import.meta.env.VITE_DEMO_PASSWORD ?? "" : "";

export function signInForm(supabase: Client): HTMLElement {
  const email = h("input", { type: "email", name: "email", autocomplete: "username", required: true });
  const password = h("input", {
    type: "password",
    name: "password",
    autocomplete: "current-password",
    required: true,
    value: demoPassword,
  });
  const problem = h("p", { class: "problem", role: "alert" });
  const button = h("button", { class: "primary" }, "Sign in");

  const form = h(
    "form",
    { class: "sign-in", submit: (event) => void signIn(event) },
    h("h1", {}, "Citizen reports"),
    h("p", { class: "quiet" }, "Sign in with your municipal account."),
    demoUsers.length > 0 && demoUserPicker(email),
    h("label", { class: "field" }, h("span", {}, "Email"), email),
    h("label", { class: "field" }, h("span", {}, "Password"), password),
    button,
    problem,
  );
  return h("main", { class: "centred" }, form);

  async function signIn(event: Event): Promise<void> {
    event.preventDefault();
    problem.textContent = "";
    button.disabled = true;
    const { error } = await supabase.auth.signInWithPassword({
      email: email.value,
      password: password.value,
    });
    button.disabled = false;
    if (!error) return; // the session's listener shows the tickets
    problem.textContent = error.code === "invalid_credentials"
      ? "Email or password is wrong."
      : "Signing in did not work. Please try again.";
    password.focus();
  }
}

function demoUserPicker(email: HTMLInputElement): HTMLElement {
  const { element, input } = select(
    "Demo user",
    demoUsers.map((user) => [user, describe(user)]),
    { change: () => email.value = input.value },
  );
  input.value = demoUsers.find((user) => user.startsWith("manager@")) ?? demoUsers[0]!;
  email.value = input.value;
  return element;
}

/** `manager@mbombela.test` as "Manager, Mbombela". */
function describe(user: string): string {
  const [role = "", place = ""] = user.replace(/\.test$/, "").split("@");
  return `${ROLE[role] ?? role}, ${place.charAt(0).toUpperCase()}${place.slice(1)}`;
}
