/** What the resident's phone shows. Others may read it: never what was reported, by whom, or in what words. */
import { escape } from "deno-std/html/entities.js";
import { REPLIES } from "./replies.ts";

/** What the reply depends on. Not on whether a report is sensitive: the database decides by number and sender alone. */
export interface Acknowledged {
  reply: "reference" | "thanks" | "none";
  /** The ticket's language; English where it is none of REPLIES. */
  language: string;
  /** Where the reply is the reference. */
  tracking_number: string | null;
}

/**
 * The words of the reply, or null for none. The reference is told once, to the message that opens a ticket at a general
 * number. Follow-ups are thanked at most once in ten minutes, and a number for GBV only ever thanks.
 */
export function replyText({ reply, language, tracking_number }: Acknowledged): string | null {
  if (reply === "none") return null;
  const words = Object.hasOwn(REPLIES, language) ? REPLIES[language as keyof typeof REPLIES] : REPLIES.en;
  if (reply === "thanks" || !tracking_number) return words.received;
  return `${words.received} ${words.reference.replace("{reference}", () => tracking_number)}`;
}

/** An answer that makes Twilio send the text, or nothing. */
export function twiml(text: string | null): Response {
  const message = text === null ? "<Response/>" : `<Response><Message>${escape(text)}</Message></Response>`;
  return new Response(`<?xml version="1.0" encoding="UTF-8"?>\n${message}`, {
    headers: { "content-type": "text/xml; charset=utf-8" },
  });
}
