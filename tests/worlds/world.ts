/** The world that is played in: a stack of its own, who is in it, and what they may name. */
import { ownStack } from "../support/own-stack.ts";
import { Names } from "./names.ts";
import type { Actor, Ref } from "./trace.ts";

export const [seed, length, world] = [Number(Deno.args[0]), Number(Deno.args[1]), Deno.args[2]];
export const hidden = world === "with";
export const own = await ownStack();
export const { stack, functions, whatsapp } = own;
export const { URL_BASE, PUBLISHABLE_KEY, SECRET_KEY, MUNICIPALITIES, service, ok } = stack;
export const { mbombela, polokwane } = MUNICIPALITIES;

export const names = new Names();
export const THIRD = crypto.randomUUID();
export const senders = [whatsapp.newSender(), whatsapp.newSender(), whatsapp.newSender()];

export interface Someone {
  actor: Actor;
  tenant: string;
  token?: string;
  userId?: string;
}

export async function someone(actor: Actor): Promise<Someone> {
  const [role, , slug] = actor.split(" ");
  if (actor === "anonymous") return { actor, tenant: mbombela.id };
  const { token, tenant, userId } = await stack.person(role as "admin", slug as "mbombela");
  names.name(userId, actor);
  return { actor, tenant, token, userId };
}

/** What came back of a request: all that its caller can tell two worlds apart by. */
export async function ask(
  who: Someone,
  method: string,
  path: string,
  body?: unknown,
  more: Record<string, string> = {},
) {
  const headers = new Headers({ apikey: PUBLISHABLE_KEY, ...more });
  if (who.token) headers.set("authorization", `Bearer ${who.token}`);
  if (body !== undefined && !headers.has("content-type")) headers.set("content-type", "application/json");
  const raw = body === undefined || body instanceof Blob ? body : JSON.stringify(body);
  const response = await fetch(`${URL_BASE}${path}`, { method, headers, body: raw });
  const bytes = await response.bytes();
  const text = new TextDecoder().decode(bytes);
  let answer: unknown = text.startsWith("{") || text.startsWith("[")
    ? JSON.parse(text)
    : `${bytes.length} bytes`;
  if (typeof answer === "string" && text.length < 500) answer = text;
  return { status: response.status, range: response.headers.get("content-range"), answer };
}

export function resolve(sort: keyof Names["known"], { of, at }: Ref): string {
  const list = of === "known" ? names.known[sort] : hidden ? names.hidden[sort] : [];
  if (list.length > 0) return list[at % list.length]!;
  const nobodys = sort === "message" ? `SM${crypto.randomUUID().replaceAll("-", "")}` : crypto.randomUUID();
  names.name(nobodys, `hidden ${sort}`);
  return nobodys;
}

export function placeOf(tenant: string, fileId: string): { bucket?: string; path: string } {
  return names.paths.get(fileId) ?? { path: `${tenant}/${fileId}/whatsapp-1.jpg` };
}

/** Takes new tickets, messages and files of both worlds into the names, in the order in which they came. */
export async function learn(): Promise<void> {
  for (
    const { id } of await own
      .superuser`select id from public.tickets order by created_at, tenant_id, category, description`
  ) {
    names.know("ticket", id);
  }
  for (
    const { message_sid } of await own
      .superuser`select message_sid from public.inbound_messages order by received_at`
  ) {
    names.know("message", message_sid);
  }
  const files = await own
    .superuser`select file_id, bucket, path from public.media_attachments order by created_at, media_index`;
  for (const { file_id, bucket, path } of files) {
    names.know("file", file_id);
    if (!names.paths.has(file_id)) names.paths.set(file_id, { bucket, path });
  }
}
