// Tokens for which the Auth server is asked: legacy ones, and those of a key that the environment does not have yet.
import { exportJWK, generateKeyPair } from "jose";
import { assertEquals } from "../support/assert.ts";
import { makeIdentifyCaller } from "../../shared/request/caller.ts";
import { environmentOf, failureOf, type Sent, withFetch } from "./tools.ts";
import {
  bearer,
  CLAIMS,
  type Claims,
  JWKS,
  now,
  PROJECT,
  TENANT,
  theirs,
  token,
  USER,
  VARIABLES,
} from "./callers.ts";

const LEGACY = new TextEncoder().encode("super-secret-jwt-token-with-at-least-32-characters");
const legacyToken = (claims: Claims = CLAIMS) => token(claims, LEGACY, { alg: "HS256", kid: undefined });
const authServer = (status: number) => () => Response.json({ id: USER }, { status });

Deno.test("caller: a legacy token is believed when the Auth server does, asked with that very token", async () => {
  const jwt = await legacyToken();
  const [sent] = await withFetch(
    authServer(200),
    async () => assertEquals(await bearer(jwt), { token: jwt, userId: USER }),
  ) as [Sent];
  assertEquals([sent.method, sent.url], ["GET", `${PROJECT}/auth/v1/user`]);
  assertEquals([sent.headers.get("authorization"), sent.headers.get("apikey")], [
    `Bearer ${jwt}`,
    "sb_publishable_x",
  ]);
});

Deno.test("caller: a token that was believed once is refused when it has expired", async () => {
  const jwt = await token();
  const identifyCaller = makeIdentifyCaller(environmentOf(VARIABLES));
  const request = new Request("http://localhost/", { headers: { authorization: `Bearer ${jwt}` } });
  const realNow = Date.now;
  try {
    for (const _ of [1, 2]) assertEquals((await identifyCaller(request)).userId, USER);
    Date.now = () => realNow() + 3_610_000;
    assertEquals((await failureOf(() => identifyCaller(request))).code, "unauthorized");
  } finally {
    Date.now = realNow;
  }
});

Deno.test("caller: of a legacy token the Auth server is asked each time, since it knows who has signed out", async () => {
  const jwt = await legacyToken();
  const identifyCaller = makeIdentifyCaller(environmentOf(VARIABLES));
  const request = new Request("http://localhost/", { headers: { authorization: `Bearer ${jwt}` } });
  let status = 200;
  const sent = await withFetch(() => Response.json({ id: USER }, { status }), async () => {
    assertEquals((await identifyCaller(request)).userId, USER);
    status = 403;
    assertEquals((await failureOf(() => identifyCaller(request))).code, "unauthorized");
  });
  assertEquals(sent.length, 2);
});

Deno.test("caller: a legacy token of the wrong claims is refused though the Auth server accepts it", async () => {
  const wrong: [string, Claims][] = [
    ["unauthorized", { exp: now() - 60 }],
    ["unauthorized", { exp: undefined }],
    ["unauthorized", { role: "service_role" }],
    ["unauthorized", { aud: "anon" }],
    ["unauthorized", { iss: "https://other.example/auth/v1" }],
    ["unauthorized", { sub: undefined }],
    ["forbidden", { app_metadata: {} }],
  ];
  for (const [code, claims] of wrong) {
    await withFetch(authServer(200), async () => {
      const jwt = await legacyToken({ ...CLAIMS, ...claims });
      assertEquals((await failureOf(() => bearer(jwt))).code, code, JSON.stringify(claims));
    });
  }
});

Deno.test("caller: a legacy token that the Auth server does not know is unauthorized", async () => {
  for (const status of [401, 403, 404, 302]) {
    await withFetch(
      authServer(status),
      async () =>
        assertEquals((await failureOf(async () => bearer(await legacyToken()))).code, "unauthorized"),
    );
  }
});

Deno.test("caller: an Auth server that fails or is out of reach lets nobody in, and sends nobody to sign in again", async () => {
  for (const answer of [authServer(500), authServer(503), () => Promise.reject(new TypeError("refused"))]) {
    await withFetch(
      answer,
      async () => assertEquals((await failureOf(async () => bearer(await legacyToken()))).code, "internal"),
    );
  }
});

const rotated = await generateKeyPair("ES256", { extractable: true });
const PUBLISHED = {
  keys: [{ ...await exportJWK(rotated.publicKey), alg: "ES256", kid: "rotated", use: "sig" }],
};
const rotatedToken = (claims = CLAIMS) => token(claims, rotated.privateKey, { kid: "rotated" });
const requestWith = (jwt: string) =>
  new Request("http://localhost/", { headers: { authorization: `Bearer ${jwt}` } });

Deno.test("caller: a token of a key that the environment does not have yet is verified with Auth's list, asked once", async () => {
  for (const published of [PUBLISHED, PUBLISHED.keys]) {
    const identifyCaller = makeIdentifyCaller(environmentOf(VARIABLES));
    const sent = await withFetch(() => Response.json(published), async () => {
      for (const sub of [USER, TENANT]) {
        const jwt = await rotatedToken({ ...CLAIMS, sub });
        assertEquals(await identifyCaller(requestWith(jwt)), { token: jwt, userId: sub });
      }
    });
    assertEquals(sent.map(({ url }) => url), [`${PROJECT}/auth/v1/.well-known/jwks.json`]);
  }
});

Deno.test("caller: a key that Auth no longer publishes opens nothing after its list was asked", async () => {
  const identifyCaller = makeIdentifyCaller(environmentOf(VARIABLES));
  await withFetch(() => Response.json(PUBLISHED), async () => {
    await identifyCaller(requestWith(await rotatedToken()));
    assertEquals(
      (await failureOf(async () => identifyCaller(requestWith(await token())))).code,
      "unauthorized",
    );
  });
});

Deno.test("caller: forged tokens of ever new keys make one question in half a minute, and shut nobody out", async () => {
  const identifyCaller = makeIdentifyCaller(environmentOf(VARIABLES));
  const realNow = Date.now;
  try {
    const sent = await withFetch(() => new Response(JWKS), async () => {
      for (let i = 0; i < 20; i++) {
        const forged = await token(CLAIMS, theirs.privateKey, { kid: `k${i}` });
        assertEquals((await failureOf(() => identifyCaller(requestWith(forged)))).code, "unauthorized");
      }
      assertEquals((await identifyCaller(requestWith(await token()))).userId, USER);
      Date.now = () => realNow() + 31_000;
      const forged = await token(CLAIMS, theirs.privateKey, { kid: "later" });
      assertEquals((await failureOf(() => identifyCaller(requestWith(forged)))).code, "unauthorized");
    });
    assertEquals(sent.length, 2);
  } finally {
    Date.now = realNow;
  }
});

Deno.test("caller: while Auth's list cannot be had, a token of an unknown key lets nobody in and sends nobody to sign in again", async () => {
  for (
    const answer of [
      () => new Response("no", { status: 503 }),
      () => Response.json({ error: "no list" }),
      () => Promise.reject(new TypeError("refused")),
    ]
  ) {
    const identifyCaller = makeIdentifyCaller(environmentOf(VARIABLES));
    const sent = await withFetch(answer, async () => {
      for (const _ of [1, 2]) {
        const failure = await failureOf(async () => identifyCaller(requestWith(await rotatedToken())));
        assertEquals([failure.code, failure.log], ["internal", "auth keys"]);
      }
      assertEquals((await identifyCaller(requestWith(await token()))).userId, USER);
    });
    assertEquals(sent.length, 1);
  }
});

Deno.test("caller: a project that signs with a shared secret needs no key set", async () => {
  const jwt = await legacyToken();
  await withFetch(
    authServer(200),
    async () => assertEquals((await bearer(jwt, { ...VARIABLES, SUPABASE_JWKS: undefined })).userId, USER),
  );
});
