/** What the resident's phone shows. Others may read it: never what was reported, by whom, or in what words. */
import { escape } from "deno-std/html/entities.js";

export type Language = "en" | "zu" | "af";

/** `{reference}` is the ticket's tracking number; a sensitive report gets no reference, which would invite questions. */
const REPLIES: Record<Language, { ordinary: string; neutral: string }> = {
  en: {
    ordinary: "Thank you, we have received your message. Your reference is {reference}.",
    neutral: "Thank you, we have received your message.",
  },
  zu: {
    ordinary: "Siyabonga, siwutholile umyalezo wakho. Inombolo yakho yereferensi ithi {reference}.",
    neutral: "Siyabonga, siwutholile umyalezo wakho.",
  },
  af: {
    ordinary: "Dankie, ons het u boodskap ontvang. U verwysing is {reference}.",
    neutral: "Dankie, ons het u boodskap ontvang.",
  },
};

/** The words of the reply, in the ticket's language, or in English where it is none of ours. */
export function replyText(language: string, reference: string, sensitive: boolean): string {
  const words = Object.hasOwn(REPLIES, language) ? REPLIES[language as Language] : REPLIES.en;
  return sensitive ? words.neutral : words.ordinary.replace("{reference}", reference);
}

/** An answer that makes Twilio send the text. */
export function twiml(text: string): Response {
  const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<Response><Message>${
    escape(text)
  }</Message></Response>`;
  return new Response(xml, { headers: { "content-type": "text/xml; charset=utf-8" } });
}
