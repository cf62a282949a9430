import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { type Acknowledged, replyText, twiml } from "../../shared/twilio/reply.ts";
import { REPLIES } from "../../shared/twilio/replies.ts";

const LANGUAGES = Object.keys(REPLIES) as (keyof typeof REPLIES)[];
const REPORT = { language: "en", tracking_number: "TKT-20261123-AB12CD", reply: "reference" } as const;
const say = (about: Partial<Acknowledged>) => replyText({ ...REPORT, ...about })!;

Deno.test("reply: an ordinary report's reference is told, in the ticket's language", () => {
  const replies = LANGUAGES.map((language) => say({ language }));
  for (const text of replies) assertStringIncludes(text, ` ${REPORT.tracking_number}.`);
  assertEquals(new Set(replies).size, LANGUAGES.length, "two languages have the same words");
  assertMatch(say({ language: "zu" }), /^Siyabonga/);
  assertMatch(say({ language: "af" }), /^Dankie/);
});

Deno.test("reply: a follow-up is thanked for, and the reference is not told again", () => {
  for (const language of LANGUAGES) {
    const text = say({ language, reply: "thanks" });
    assert(!/TKT|\d/.test(text), text);
    assert(say({ language }).startsWith(text), "the first reply begins otherwise");
  }
});

Deno.test("reply: none is an empty answer, which Twilio sends nobody", async () => {
  assertEquals(replyText({ ...REPORT, reply: "none" }), null);
  assertStringIncludes(await twiml(null).text(), "<Response/>");
});

/** What would tell that it was no burst pipe. */
const TELLING =
  /gbv|violen|abus|police|polis|saps|amaphoyisa|udlame|hlukumez|geweld|mishandel|case|saak|icala|help|usizo|hulp|safe|veilig|urgent/i;

Deno.test("reply: no reply has a word of violence, police or help", () => {
  for (const language of LANGUAGES) {
    for (const words of Object.values(REPLIES[language])) assert(!TELLING.test(words), words);
  }
});

Deno.test("reply: in every language the thanks name no number, and the reference has its place once", () => {
  for (const language of LANGUAGES) {
    const { received, reference } = REPLIES[language];
    assert(!/[\d{}]/.test(received), received);
    assertEquals(reference.split("{reference}").length, 2, reference);
    for (const sentence of [received, reference]) assertMatch(sentence, /^\p{Lu}[^!?]*\.$/u);
  }
});

/** GSM 03.38: characters of one septet, and those of two. */
const GSM_7 = new Set(
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
);
const GSM_7_EXTENDED = new Set("^{}\\[~]|€");

/** Whether a text is one SMS segment: 160 septets, or 70 UTF-16 units once a character is outside GSM-7. */
function fitsOneSegment(text: string): boolean {
  const characters = [...text];
  if (!characters.every((one) => GSM_7.has(one) || GSM_7_EXTENDED.has(one))) return text.length <= 70;
  return characters.reduce((septets, one) => septets + (GSM_7_EXTENDED.has(one) ? 2 : 1), 0) <= 160;
}

Deno.test("reply: segments are counted as SMS does", () => {
  assert(fitsOneSegment("a".repeat(160)) && !fitsOneSegment("a".repeat(161)));
  assert(fitsOneSegment("€".repeat(80)) && !fitsOneSegment("€".repeat(81)));
  assert(fitsOneSegment("š".repeat(70)) && !fitsOneSegment("š" + "a".repeat(70)));
});

for (const language of LANGUAGES) {
  Deno.test(`reply: in ${language} each is one SMS segment`, () => {
    for (const reply of ["reference", "thanks"] as const) {
      const text = say({ language, reply });
      assert(fitsOneSegment(text), `${text.length} characters: ${text}`);
    }
  });
}

Deno.test("reply: a language that is none of ours is answered in English", () => {
  for (const language of ["ve", "", "EN", "constructor", "__proto__", "toString"]) {
    for (const reply of ["reference", "thanks"] as const) {
      assertEquals(say({ language, reply }), say({ reply }));
    }
  }
});

Deno.test("reply: TwiML is XML, and no text can become markup", async () => {
  const response = twiml(`<Redirect>x</Redirect> & "quotes" 'too' – é`);
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("content-type"), "text/xml; charset=utf-8");
  const xml = await response.text();
  assertMatch(
    xml,
    /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<Response><Message>[^<>]*<\/Message><\/Response>$/,
  );
  assertStringIncludes(xml, "&lt;Redirect&gt;x&lt;/Redirect&gt; &amp; ");
});
