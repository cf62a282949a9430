import { assert, assertEquals, assertInstanceOf } from "../support/assert.ts";
import { ServiceError, TwilioError } from "../../shared/platform/errors.ts";
import { credentialsFrom, deleteMedium, fetchMedium, isMediaUrl } from "../../shared/twilio/media.ts";
import { environmentOf, failureOf, type Sent, withFastTimers, withFetch } from "./tools.ts";

const MEDIUM = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1";
const CDN = "https://media.us1.twiliocdn.com/AC1/x?Expires=1&Signature=abc";
const CREDENTIALS = { user: "AC1", password: "sécret" };
const BASIC = `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode("AC1:sécret")))}`;

const redirect = (location: string, status = 307) => new Response(null, { status, headers: { location } });

/** The reason for which a download fails, with all that was sent; waiting is not waited for. */
async function downloadFails(
  answer: (request: Sent, index: number) => Response | Promise<Response>,
): Promise<{ reason: string; error: TwilioError; sent: Sent[]; delays: number[] }> {
  let error: unknown;
  let sent: Sent[] = [];
  const delays = await withFastTimers(60_000, async () => {
    sent = await withFetch(answer, async () => {
      error = await failureOf(() => fetchMedium(MEDIUM, CREDENTIALS));
    });
  });
  assertInstanceOf(error, TwilioError, `${(error as Error).stack}`);
  return { reason: error.reason, error, sent, delays };
}

Deno.test("media: credentials go to api.twilio.com, and never follow a redirect to another host", async () => {
  const sent = await withFetch(
    ({ url }) => url === MEDIUM ? redirect(CDN) : new Response("bytes"),
    async () => assertEquals(await (await fetchMedium(MEDIUM, CREDENTIALS)).text(), "bytes"),
  );
  assertEquals(sent.map(({ url }) => url), [MEDIUM, CDN]);
  assertEquals(sent.map(({ headers }) => headers.get("authorization")), [BASIC, null]);
});

Deno.test("media: redirects are always followed by hand, and nothing compressed is asked for", async () => {
  const sent = await withFetch(
    ({ url }) => url === MEDIUM ? redirect(CDN, 302) : new Response("bytes"),
    async () => void await (await fetchMedium(MEDIUM, CREDENTIALS)).body?.cancel(),
  );
  assertEquals(sent.map(({ redirect }) => redirect), ["manual", "manual"]);
  assertEquals(sent.map(({ headers }) => headers.get("accept-encoding")), ["identity", "identity"]);
});

Deno.test("media: a redirect within api.twilio.com keeps the credentials, a relative one too", async () => {
  const sent = await withFetch(
    ({ url }) => url === MEDIUM ? redirect("/2010-04-01/elsewhere") : new Response("bytes"),
    async () => void await (await fetchMedium(MEDIUM, CREDENTIALS)).body?.cancel(),
  );
  assertEquals(sent[1]!.url, "https://api.twilio.com/2010-04-01/elsewhere");
  assertEquals(sent[1]!.headers.get("authorization"), BASIC);
});

Deno.test("media: an MMS's medium comes from Twilio's bucket at S3, which sees no credentials", async () => {
  const store = "https://s3-external-1.amazonaws.com/media.twiliocdn.com/AC1/x?X-Amz-Signature=abc";
  const sent = await withFetch(
    ({ url }) => url === MEDIUM ? redirect(store) : new Response("bytes"),
    async () => assertEquals(await (await fetchMedium(MEDIUM, CREDENTIALS)).text(), "bytes"),
  );
  assertEquals(sent.map(({ url, headers }) => [url, headers.get("authorization")]), [[MEDIUM, BASIC], [
    store,
    null,
  ]]);
});

Deno.test("media: an account of another region has its media at that region's API", async () => {
  for (const host of ["api.dublin.ie1.twilio.com", "api.sao-paulo.br1.twilio.com", "api.us1.twilio.com"]) {
    const regional = MEDIUM.replace("api.twilio.com", host);
    assert(isMediaUrl(regional), host);
    const sent = await withFetch(
      ({ url }) => url === regional ? redirect(CDN) : new Response("bytes"),
      async () => void await (await fetchMedium(regional, CREDENTIALS)).body?.cancel(),
    );
    assertEquals(sent.map(({ headers }) => headers.get("authorization")), [BASIC, null], host);
  }
  for (
    const host of [
      "api.ie1.twilio.com.evil.example",
      "evil-api.ie1.twilio.com",
      "api.ie1.eviltwilio.com",
      "api.a.b.ie1.twilio.com",
      "api.dublin.twilio.com",
      "api.ie1.twilio.com:8443",
      "api..twilio.com",
      "user@api.twilio.com",
      "chat.dublin.ie1.twilio.com",
    ]
  ) assert(!isMediaUrl(MEDIUM.replace("api.twilio.com", host)), host);
});

for (
  const target of [
    "http://media.us1.twiliocdn.com/x",
    "http://api.twilio.com/x",
    "https://evil.example/x",
    "https://s3.amazonaws.com/x",
    "https://s3-external-1.amazonaws.com.evil.example/x",
    "https://evil.s3-external-1.amazonaws.com/x",
    "http://s3-external-1.amazonaws.com/x",
    "https://localhost/x",
    "https://127.0.0.1/x",
    "http://169.254.169.254/latest/meta-data/",
    "https://twiliocdn.com.evil.example/x",
    "https://media.twiliocdn.com.evil/x",
    "https://eviltwiliocdn.com/x",
    "https://media.twiliocdn.com:8443/x",
    "https://media.twiliocdn.com@evil.example/x",
    "https://api.twilio.com:444/x",
    "https://api.twilio.com.evil.example/x",
    "https://evil-api.twilio.com/x",
    "https://twiliocdn.com./x",
    "//evil.example/x",
    "file:///etc/passwd",
    "data:text/plain,x",
    "https://",
  ]
) {
  Deno.test(`media: a redirect to ${target} is refused before anything is sent there`, async () => {
    for (const from of [MEDIUM, CDN]) {
      const { reason, sent, error } = await downloadFails(({ url }) => redirect(url === from ? target : CDN));
      assertEquals(reason, "media_refused");
      assertEquals(sent.at(-1)!.url, from);
      assert(!JSON.stringify([error.message, error.log]).includes(target));
    }
  });
}

Deno.test("media: redirects in a loop are refused after a few", async () => {
  const { reason, sent } = await downloadFails(({ url }) => redirect(url === MEDIUM ? CDN : MEDIUM));
  assertEquals(reason, "media_refused");
  assert(sent.length <= 6, `${sent.length} requests`);
});

Deno.test("media: 404 just after the webhook is asked again, and then it is there", async () => {
  let body = "";
  let sent: Sent[] = [];
  const delays = await withFastTimers(10_000, async () => {
    sent = await withFetch(
      (_, index) => new Response("bytes", { status: index < 3 ? 404 : 200 }),
      async () => void (body = await (await fetchMedium(MEDIUM, CREDENTIALS)).text()),
    );
  });
  assertEquals([body, sent.length], ["bytes", 4]);
  const waited = delays.reduce((sum, delay) => sum + delay, 0);
  assert(waited > 500 && waited < 5_000, `${waited} ms`);
});

Deno.test("media: 404 to the end is media_not_found, after some seconds at most", async () => {
  const { reason, sent, delays } = await downloadFails(() => new Response(null, { status: 404 }));
  assertEquals(reason, "media_not_found");
  assertEquals(sent.length, 5);
  const waited = delays.filter((delay) => delay < 30_000).reduce((sum, delay) => sum + delay, 0);
  assert(waited > 2_000 && waited < 8_000, `${waited} ms`);
});

for (
  const [status, expected] of [
    [401, "media_refused"],
    [403, "media_refused"],
    [410, "media_unavailable"],
    [429, "media_unavailable"],
    [500, "media_unavailable"],
    [503, "media_unavailable"],
    [204, "media_unavailable"],
    [206, "media_unavailable"],
    [304, "media_unavailable"],
  ] as const
) {
  Deno.test(`media: Twilio's ${status} is ${expected}, asked once`, async () => {
    const { reason, sent } = await downloadFails(() => new Response(null, { status }));
    assertEquals(reason, expected);
    assertEquals(sent.length, 1);
  });
}

Deno.test("media: Twilio out of reach, or silent for a minute, is media_unavailable", async () => {
  const broken = await downloadFails(() => Promise.reject(new TypeError("connection refused")));
  assertEquals(broken.reason, "media_unavailable");

  const real = AbortSignal.timeout;
  const asked: number[] = [];
  AbortSignal.timeout = (ms) => {
    asked.push(ms);
    return real.call(AbortSignal, 5);
  };
  try {
    const silent = await downloadFails(() => new Promise(() => {}));
    assertEquals(silent.reason, "media_unavailable");
  } finally {
    AbortSignal.timeout = real;
  }
  assertEquals(asked, [60_000]);
});

Deno.test("media: no error tells the credentials or where the medium lies", async () => {
  for (const answer of [() => new Response(null, { status: 401 }), () => redirect("https://evil.example/")]) {
    const { error } = await downloadFails(answer);
    const told = JSON.stringify(error) + error.message;
    for (const secret of ["sécret", "ME1", "api.twilio.com"]) assert(!told.includes(secret), told);
  }
});

Deno.test("media: an API key is used where there is one, and must be whole", async () => {
  const account = { TWILIO_ACCOUNT_SID: "AC1", TWILIO_AUTH_TOKEN: "token" };
  assertEquals(credentialsFrom(environmentOf(account)), { user: "AC1", password: "token" });
  const key = { ...account, TWILIO_API_KEY_SID: "SK1", TWILIO_API_KEY_SECRET: "secret" };
  assertEquals(credentialsFrom(environmentOf(key)), { user: "SK1", password: "secret" });
  const half = await failureOf(() =>
    credentialsFrom(environmentOf({ ...account, TWILIO_API_KEY_SID: "SK1" }))
  );
  assertInstanceOf(half, ServiceError);
  assertEquals([half.code, half.log], ["not_configured", "TWILIO_API_KEY_SECRET"]);
});

Deno.test("media: Twilio's copy is removed with credentials; that it is gone already is no failure", async () => {
  for (const status of [204, 404]) {
    const sent = await withFetch(
      () => new Response(null, { status }),
      () => deleteMedium(MEDIUM, CREDENTIALS),
    );
    assertEquals(sent.map(({ method, url }) => `${method} ${url}`), [`DELETE ${MEDIUM}.json`]);
    assertEquals(sent[0]!.headers.get("authorization"), BASIC);
    assertEquals(sent[0]!.redirect, "manual");
  }
});

Deno.test("media: where Twilio's copy could not be removed it is said so", async () => {
  for (
    const [status, reason] of [[401, "media_refused"], [500, "media_unavailable"], [
      307,
      "media_unavailable",
    ]] as const
  ) {
    await withFetch(
      () => new Response(null, { status }),
      async () => {
        const error = await failureOf(() => deleteMedium(MEDIUM, CREDENTIALS));
        assertInstanceOf(error, TwilioError);
        assertEquals(error.reason, reason);
      },
    );
  }
});
