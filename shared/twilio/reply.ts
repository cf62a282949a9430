/** What the resident's phone shows. Others may read it: never what was reported, by whom, or in what words. */
import { escape } from "deno-std/html/entities.js";
import { REPLIES } from "./replies.ts";

/** What the reply depends on. */
export interface Acknowledged {
  /** The ticket's language; English where it is none of REPLIES. */
  language: string;
  tracking_number: string;
  sensitive: boolean;
  /** Whether it is the first message of its ticket. */
  first: boolean;
}

/**
 * The words of the reply. The reference is told once, in reply to an ordinary ticket's first message; a follow-up gets
 * the thanks alone, and so does every sensitive report. So a reply without a reference is what any number sends any
 * day, and nothing on the phone changes when a ticket is made sensitive. A sensitive report never gets a reference:
 * who reads the phone could ask for it by number, and the refusal would tell what it is.
 */
export function replyText({ language, tracking_number, sensitive, first }: Acknowledged): string {
  const words = Object.hasOwn(REPLIES, language) ? REPLIES[language as keyof typeof REPLIES] : REPLIES.en;
  if (sensitive || !first) return words.received;
  return `${words.received} ${words.reference.replace("{reference}", () => tracking_number)}`;
}

/** An answer that makes Twilio send the text. */
export function twiml(text: string): Response {
  const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<Response><Message>${
    escape(text)
  }</Message></Response>`;
  return new Response(xml, { headers: { "content-type": "text/xml; charset=utf-8" } });
}
