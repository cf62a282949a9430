import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { replyText, twiml } from "../../shared/twilio/reply.ts";

const REFERENCE = "TKT-20261123-AB12CD";
const LANGUAGES = ["en", "zu", "af"];

Deno.test("reply: an ordinary report's reference is told, in the ticket's language", () => {
  const replies = LANGUAGES.map((language) => replyText(language, REFERENCE, false));
  for (const text of replies) assertStringIncludes(text, REFERENCE);
  assertEquals(new Set(replies).size, 3);
  assertMatch(replies[1]!, /^Siyabonga/);
  assertMatch(replies[2]!, /^Dankie/);
});

Deno.test("reply: that to a sensitive report is the same whatever was reported, and tells no reference", () => {
  for (const language of LANGUAGES) {
    const text = replyText(language, REFERENCE, true);
    assertEquals(text, replyText(language, "TKT-20261124-ZZZZZZ", true));
    assert(!text.includes("TKT"), text);
    assert(!/\d|reference|verwysing|inombolo/i.test(text), text);
  }
});

Deno.test("reply: that to a sensitive report is how every reply begins, and has no word of violence, police or help", () => {
  for (const language of LANGUAGES) {
    const neutral = replyText(language, REFERENCE, true);
    assert(replyText(language, REFERENCE, false).startsWith(neutral.slice(0, -1)), neutral);
    assert(
      !/gbv|violen|abus|police|polis|saps|amaphoyisa|udlame|geweld|case|saak|help|safe/i.test(neutral),
      neutral,
    );
  }
});

Deno.test("reply: a language that is none of ours is answered in English", () => {
  for (const language of ["xh", "", "EN", "constructor", "__proto__", "toString"]) {
    assertEquals(replyText(language, REFERENCE, false), replyText("en", REFERENCE, false));
    assertEquals(replyText(language, REFERENCE, true), replyText("en", REFERENCE, true));
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
