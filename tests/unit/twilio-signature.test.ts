import webhooks from "twilio/lib/webhooks/webhooks.js";
import { assert, assertEquals } from "../support/assert.ts";
import { isSignedByTwilio } from "../../shared/twilio/signature.ts";
import { randomNumbers, randomText } from "./tools.ts";

const { getExpectedTwilioSignature, validateRequest } = webhooks;

const TOKEN = "12345";
const URL_ = "https://mycompany.com/myapp.php?foo=1&bar=2";
const URL_443 = "https://mycompany.com:443/myapp.php?foo=1&bar=2";
const CALL = new URLSearchParams({
  CallSid: "CA1234567890ABCDE",
  Caller: "+14158675309",
  Digits: "1234",
  From: "+14158675309",
  To: "+18005551212",
});
const CALL_SIGNATURE = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";

/** Parameters as npm twilio takes them: a repeated name is an array. */
function asObject(params: URLSearchParams): Record<string, string | string[]> {
  return Object.fromEntries([...new Set(params.keys())].map((name) => {
    const values = params.getAll(name);
    return [name, values.length > 1 ? values : values[0]!];
  }));
}

/** As an incoming body is read: whatever it was, now it is well formed. */
function received(pairs: [string, string][]): URLSearchParams {
  return new URLSearchParams(new URLSearchParams(pairs).toString());
}

Deno.test("Twilio's signature: the published vectors hold", async () => {
  const repeated = new URLSearchParams([
    ["Sid", "CA123"],
    ["SidAccount", "AC123"],
    ["Digits", "5678"],
    ["Digits", "1234"],
    ["Digits", "1234"],
  ]);
  assert(await isSignedByTwilio(TOKEN, CALL_SIGNATURE, URL_, CALL));
  assert(await isSignedByTwilio(TOKEN, "kvajT1Ptam85bY51eRf/AJRuM3w=", URL_443, CALL));
  assert(await isSignedByTwilio(TOKEN, "IK+Dwps556ElfBT0I3Rgjkr1wJU=", URL_, repeated));
});

Deno.test("Twilio's signature: signed with the default port, checked without it, and the other way round", async () => {
  assert(await isSignedByTwilio(TOKEN, "kvajT1Ptam85bY51eRf/AJRuM3w=", URL_, CALL));
  assert(await isSignedByTwilio(TOKEN, CALL_SIGNATURE, URL_443, CALL));
  const [plain, port80] = ["http://a.example/x", "http://a.example:80/x"] as const;
  const params = asObject(CALL);
  assert(await isSignedByTwilio(TOKEN, getExpectedTwilioSignature(TOKEN, plain, params), port80, CALL));
  assert(await isSignedByTwilio(TOKEN, getExpectedTwilioSignature(TOKEN, port80, params), plain, CALL));
  assert(
    await isSignedByTwilio(
      TOKEN,
      getExpectedTwilioSignature(TOKEN, "https://a.example:443", params),
      "https://a.example",
      CALL,
    ),
  );
});

Deno.test("Twilio's signature: for another port or scheme it is refused", async () => {
  for (
    const [signed, checked] of [
      ["https://a.example:8443/x", "https://a.example/x"],
      ["https://a.example/x", "https://a.example:8443/x"],
      ["https://a.example:80/x", "https://a.example/x"],
      ["http://a.example/x", "https://a.example/x"],
      ["https://a.example/x", "https://a.example:443@evil.example/x"],
    ] as const
  ) {
    const signature = getExpectedTwilioSignature(TOKEN, signed, asObject(CALL));
    assert(!await isSignedByTwilio(TOKEN, signature, checked, CALL), `${signed} for ${checked}`);
  }
});

Deno.test("Twilio's signature: npm twilio and we agree on 1,500 random messages", async () => {
  const random = randomNumbers(42);
  for (let round = 0; round < 1_500; round++) {
    const pairs = Array.from(
      { length: random(12) },
      () => [randomText(random, 6), randomText(random, 20)] as [string, string],
    );
    // repeated names, with the same value and with others
    if (pairs.length > 2) pairs.push([pairs[0]![0], randomText(random, 3)], pairs[1]!, [pairs[2]![0], ""]);
    // npm twilio cannot hold this name: an object's prototype
    const params = received(pairs.filter(([name]) => name !== "__proto__"));
    const url = `https://a.example${random(2) ? "" : ":443"}/f?x=${random(9)}`;
    const signature = getExpectedTwilioSignature(TOKEN, url, asObject(params));
    assert(await isSignedByTwilio(TOKEN, signature, url, params), `${params}`);
    assert(validateRequest(TOKEN, signature, url, asObject(params)));
  }
});

Deno.test("Twilio's signature: a URL is taken byte for byte (' and unicode are not re-encoded)", async () => {
  for (
    const url of [
      "https://a.example/o'clock?name='x'",
      "https://a.example/ñ?q=é",
      "https://A.Example/x?a=%27",
    ]
  ) {
    const signature = getExpectedTwilioSignature(TOKEN, url, asObject(CALL));
    assert(await isSignedByTwilio(TOKEN, signature, url, CALL), url);
  }
  const signature = getExpectedTwilioSignature(TOKEN, "https://a.example/?n='x'", asObject(CALL));
  assert(!await isSignedByTwilio(TOKEN, signature, "https://a.example/?n=%27x%27", CALL));
});

Deno.test("Twilio's signature: empty, spaced and unknown parameters count", async () => {
  const params = received([["Body", ""], ["New Thing", " x "], ["Body2", "\r\n"]]);
  const signature = getExpectedTwilioSignature(TOKEN, URL_, asObject(params));
  assert(await isSignedByTwilio(TOKEN, signature, URL_, params));
  for (const name of [...params.keys()]) {
    const fewer = new URLSearchParams(params);
    fewer.delete(name);
    assert(!await isSignedByTwilio(TOKEN, signature, URL_, fewer), name);
  }
  const trimmed = new URLSearchParams(params);
  trimmed.set("New Thing", "x");
  assert(!await isSignedByTwilio(TOKEN, signature, URL_, trimmed));
});

Deno.test("Twilio's signature: missing, garbage, truncated or of another token is refused", async () => {
  const bad = [
    null,
    "",
    " ",
    "garbage",
    "💥",
    "====",
    CALL_SIGNATURE.slice(0, -2),
    CALL_SIGNATURE.slice(0, 24) + "==",
    CALL_SIGNATURE + "AAAA",
    CALL_SIGNATURE.toLowerCase(),
    getExpectedTwilioSignature("12346", URL_, asObject(CALL)),
    getExpectedTwilioSignature("", URL_, asObject(CALL)),
  ];
  for (const signature of bad) {
    assertEquals(await isSignedByTwilio(TOKEN, signature, URL_, CALL), false, `${signature}`);
  }
});

Deno.test("Twilio's signature: one changed byte of signature, URL, name or value is refused", async () => {
  const bytes = Uint8Array.from(atob(CALL_SIGNATURE), (sign) => sign.charCodeAt(0));
  for (let index = 0; index < bytes.length; index++) {
    const changed = bytes.slice();
    changed[index]! ^= 1;
    assert(
      !await isSignedByTwilio(TOKEN, btoa(String.fromCharCode(...changed)), URL_, CALL),
      `byte ${index}`,
    );
  }
  for (const url of [URL_ + "&", URL_.replace("foo=1", "foo=2"), URL_.replace("mycompany", "mycompanz")]) {
    assert(!await isSignedByTwilio(TOKEN, CALL_SIGNATURE, url, CALL), url);
  }
  for (const [name, value] of CALL) {
    const other = new URLSearchParams(CALL);
    other.set(name, value.slice(0, -1) + "x");
    assert(!await isSignedByTwilio(TOKEN, CALL_SIGNATURE, URL_, other), name);
    other.delete(name);
    other.set(name + "x", value);
    assert(!await isSignedByTwilio(TOKEN, CALL_SIGNATURE, URL_, other), name);
  }
});
