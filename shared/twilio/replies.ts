/**
 * What a resident's phone may show, a language an entry, by its ISO 639 code. An entry is all that another official
 * language takes: the type asks for both sentences, tests/unit/twilio-reply.test.ts goes over every entry.
 *
 * zu and af were NOT reviewed by a native speaker. Have them read before residents do.
 */

/** Two sentences, each calm and complete by itself. Together one SMS segment: 160 characters of GSM-7, else 70. */
interface Reply {
  /** Thanks. It is every reply's beginning, and the whole reply to a sensitive report: it names nothing. */
  received: string;
  /** Follows where the ticket's number is told, as `{reference}`. */
  reference: string;
}

export const REPLIES = {
  en: {
    received: "Thank you, we have received your message.",
    reference: "Your reference is {reference}.",
  },
  zu: {
    received: "Siyabonga, siwutholile umyalezo wakho.",
    reference: "Inombolo yakho yereferensi ithi {reference}.",
  },
  af: {
    received: "Dankie, ons het u boodskap ontvang.",
    reference: "U verwysingsnommer is {reference}.",
  },
} as const satisfies Record<string, Reply>;
