import { exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT } from "jose";
import { assert, assertEquals, assertInstanceOf } from "../support/assert.ts";
import { ServiceError } from "../../shared/platform/errors.ts";
import { makeIdentifyCaller } from "../../shared/request/caller.ts";
import { environmentOf, failureOf, noFetch, type Sent, withFetch } from "./tools.ts";

const PROJECT = "http://kong:8000";
const PUBLIC = "https://evidence.example";
const USER = "5f0b7f8e-0000-4000-8000-000000000001";
const TENANT = "a1b0de1a-0000-4000-8000-000000000001";

const ours = await generateKeyPair("ES256", { extractable: true });
const theirs = await generateKeyPair("ES256", { extractable: true });
const rsa = await generateKeyPair("RS256", { extractable: true });
const JWKS = JSON.stringify({
  keys: [
    { ...await exportJWK(ours.publicKey), alg: "ES256", kid: "ours", use: "sig" },
    { ...await exportJWK(rsa.publicKey), alg: "RS256", kid: "rsa", use: "sig" },
  ],
});

const VARIABLES: Record<string, string | undefined> = {
  SUPABASE_URL: PROJECT,
  SUPABASE_PUBLISHABLE_KEYS: '{"default":"sb_publishable_x"}',
  SUPABASE_JWKS: JWKS,
  PUBLIC_SUPABASE_URL: `${PUBLIC}/`,
};

const now = () => Math.floor(Date.now() / 1000);
const CLAIMS = {
  sub: USER,
  iss: `${PUBLIC}/auth/v1`,
  aud: "authenticated",
  role: "authenticated",
  app_metadata: { tenant_id: TENANT, role: "manager" },
};
type Claims = Record<string, unknown>;

/** A token of the claims, an hour valid, by our key or another. */
function token(claims: Claims = CLAIMS, key: CryptoKey | Uint8Array = ours.privateKey, header: Claims = {}) {
  return new SignJWT({ iat: now(), exp: now() + 3600, ...claims })
    .setProtectedHeader({ alg: "ES256", kid: "ours", typ: "JWT", ...header })
    .sign(key);
}

function identify(authorization: string | undefined, variables = VARIABLES) {
  const headers: HeadersInit = authorization === undefined ? {} : { authorization };
  return makeIdentifyCaller(environmentOf(variables))(new Request("http://localhost/", { headers }));
}

const bearer = (jwt: string, variables = VARIABLES) => identify(`Bearer ${jwt}`, variables);

/** Refused, without asking anybody, and the token is in no message. */
async function refused(code: string, jwt: string): Promise<ServiceError> {
  let error: unknown;
  await noFetch(async () => void (error = await failureOf(() => bearer(jwt))));
  assertInstanceOf(error, ServiceError, `${(error as Error).stack}`);
  assertEquals(error.code, code);
  const told = JSON.stringify([error.message, error.details, error.log]);
  assert(jwt === "" || !told.includes(jwt), told);
  return error;
}

Deno.test("caller: a user's token is verified here, nobody is asked", async () => {
  const jwt = await token();
  await noFetch(async () => assertEquals(await bearer(jwt), { token: jwt, userId: USER }));
  await noFetch(async () => assertEquals((await identify(`bearer  ${jwt}`)).userId, USER));
});

Deno.test("caller: a key of another algorithm that is in the key set is as good; the issuer may be the inner URL", async () => {
  assertEquals(
    (await bearer(await token(CLAIMS, rsa.privateKey, { alg: "RS256", kid: "rsa" }))).userId,
    USER,
  );
  assertEquals((await bearer(await token({ ...CLAIMS, iss: `${PROJECT}/auth/v1` }))).userId, USER);
  assertEquals((await bearer(await token({ ...CLAIMS, aud: ["other", "authenticated"] }))).userId, USER);
});

Deno.test("caller: no token, or another kind of credentials, is unauthorized", async () => {
  const jwt = await token();
  for (
    const header of [
      undefined,
      "",
      "Bearer",
      "Bearer ",
      "Basic dXNlcjpwYXNz",
      jwt,
      `Bearer ${jwt} x`,
      `Token ${jwt}`,
    ]
  ) {
    const error = await failureOf(() => identify(header));
    assertInstanceOf(error, ServiceError);
    assertEquals(error.code, "unauthorized", header);
  }
});

Deno.test("caller: a key of the project is no user", async () => {
  for (const key of ["sb_publishable_x", "sb_secret_x"]) await refused("unauthorized", key);
});

Deno.test("caller: garbage is unauthorized", async () => {
  for (const jwt of ["x", "a.b.c", "..", "e30.e30.", "e30.e30.e30", "eyJhbGciOiJFUzI1NiJ9..x", "💥"]) {
    if (/^[\x20-\x7e]+$/.test(jwt)) await refused("unauthorized", jwt);
  }
});

Deno.test("caller: an expired token is refused, and one without an end", async () => {
  await refused("unauthorized", await token({ ...CLAIMS, exp: now() - 60 }));
  await refused("unauthorized", await token({ ...CLAIMS, exp: undefined }));
  assertEquals(
    (await bearer(await token({ ...CLAIMS, exp: now() - 1 }))).userId,
    USER,
    "clocks differ a little",
  );
});

Deno.test("caller: a token that is not valid yet is refused", async () => {
  await refused("unauthorized", await token({ ...CLAIMS, nbf: now() + 600 }));
});

Deno.test("caller: a token forged with another key is refused, under our key's id and its own", async () => {
  await refused("unauthorized", await token(CLAIMS, theirs.privateKey));
  const unknown = await token(CLAIMS, theirs.privateKey, { kid: "theirs" });
  await withFetch(
    () => new Response(JWKS),
    async () => assertEquals((await failureOf(() => bearer(unknown))).code, "unauthorized"),
  );
  await refused("unauthorized", await token(CLAIMS, theirs.privateKey, { kid: undefined }));
});

Deno.test("caller: a token that brings its own key, or says where to fetch it, is refused", async () => {
  const jwk = await exportJWK(theirs.publicKey);
  await refused("unauthorized", await token(CLAIMS, theirs.privateKey, { jwk, kid: undefined }));
  await refused("unauthorized", await token(CLAIMS, theirs.privateKey, { jku: "https://evil.example/jwks" }));
});

Deno.test("caller: a token with changed claims under a true signature is refused", async () => {
  const [header, , signature] = (await token()).split(".");
  const claims = btoa(JSON.stringify({ ...CLAIMS, sub: "another", exp: now() + 3600 })).replace(/=+$/, "");
  await refused("unauthorized", [header, claims, signature].join("."));
  await refused("unauthorized", (await token()).split(".").slice(0, 2).join(".") + ".");
});

Deno.test("caller: algorithm none is refused, however it is spelt", async () => {
  const unsigned = new UnsecuredJWT({ ...CLAIMS, exp: now() + 3600 }).encode();
  await refused("unauthorized", unsigned);
  const payload = unsigned.split(".")[1]!;
  for (const alg of ["none", "None", "NONE", "nOnE", ""]) {
    await refused(
      "unauthorized",
      `${btoa(JSON.stringify({ alg, typ: "JWT" })).replace(/=+$/, "")}.${payload}.`,
    );
  }
});

Deno.test("caller: our public key used as an HS256 secret deceives nobody here; the Auth server is asked and refuses", async () => {
  for (
    const secret of [
      await exportSPKI(ours.publicKey),
      JWKS,
      JSON.stringify(await exportJWK(ours.publicKey)),
      "x",
    ]
  ) {
    const jwt = await token(CLAIMS, new TextEncoder().encode(secret), { alg: "HS256" });
    const sent = await withFetch(() => Response.json({ msg: "invalid JWT" }, { status: 403 }), async () => {
      assertEquals((await failureOf(() => bearer(jwt))).code, "unauthorized");
    });
    assertEquals(sent.length, 1);
  }
  for (const alg of ["HS384", "HS512"]) {
    await refused("unauthorized", await token(CLAIMS, new Uint8Array(64), { alg }));
  }
});

Deno.test("caller: a token of another issuer is refused", async () => {
  for (
    const iss of [
      undefined,
      "",
      "supabase",
      PUBLIC,
      `${PUBLIC}/auth/v1/`,
      "https://other.example/auth/v1",
      `${PUBLIC}.evil.example/auth/v1`,
    ]
  ) await refused("unauthorized", await token({ ...CLAIMS, iss }));
});

Deno.test("caller: a token for another audience is refused", async () => {
  for (const aud of [undefined, "", "anon", "service_role", ["other"], []]) {
    await refused("unauthorized", await token({ ...CLAIMS, aud }));
  }
});

Deno.test("caller: a token of the service or of nobody is not a user's", async () => {
  for (
    const role of ["service_role", "anon", "postgres", "supabase_admin", "", undefined, ["authenticated"]]
  ) {
    await refused("unauthorized", await token({ ...CLAIMS, role }));
  }
});

Deno.test("caller: a token that names nobody is refused", async () => {
  for (const sub of [undefined, "", true, 1, ["x"], {}]) {
    await refused("unauthorized", await token({ ...CLAIMS, sub }));
  }
});

Deno.test("caller: a user of no municipality is forbidden", async () => {
  for (
    const app_metadata of [undefined, null, {}, { tenant_id: null }, { tenant_id: 1 }, {
      tenant_id: [TENANT],
    }, "x"]
  ) {
    await refused("forbidden", await token({ ...CLAIMS, app_metadata }));
  }
});

Deno.test("caller: user_metadata, which users edit, grants nothing", async () => {
  const user_metadata = { tenant_id: TENANT, role: "admin", app_metadata: { tenant_id: TENANT } };
  const claims = { ...CLAIMS, user_metadata, tenant_id: TENANT };
  await refused("forbidden", await token({ ...claims, app_metadata: {} }));
});

// Legacy projects sign with a shared secret that functions do not have

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

Deno.test("caller: where a variable is missing or useless nobody is let in, and the log knows which", async () => {
  const jwt = await token();
  const cases: [string, string | undefined, string][] = [
    ["SUPABASE_JWKS", undefined, "not_configured"],
    ["SUPABASE_JWKS", "", "not_configured"],
    ["SUPABASE_JWKS", "{", "not_configured"],
    ["SUPABASE_JWKS", "{}", "not_configured"],
    ["SUPABASE_JWKS", "null", "not_configured"],
    ["PUBLIC_SUPABASE_URL", undefined, "not_configured"],
    ["SUPABASE_URL", undefined, "storage_not_configured"],
    ["SUPABASE_PUBLISHABLE_KEYS", undefined, "storage_not_configured"],
    ["SUPABASE_PUBLISHABLE_KEYS", "{", "storage_not_configured"],
    ["SUPABASE_PUBLISHABLE_KEYS", "{}", "storage_not_configured"],
    ["SUPABASE_PUBLISHABLE_KEYS", '{"default":""}', "storage_not_configured"],
  ];
  for (const [name, value, code] of cases) {
    const error = await failureOf(() => bearer(jwt, { ...VARIABLES, [name]: value }));
    assertInstanceOf(error, ServiceError);
    assertEquals([error.code, error.log], [code, name], `${name}=${value}`);
    assert(!error.message.includes(name));
  }
});

Deno.test("caller: an empty key set lets nobody in", async () => {
  const empty = '{"keys":[]}';
  await withFetch(() => new Response(empty), async () => {
    const error = await failureOf(async () => bearer(await token(), { ...VARIABLES, SUPABASE_JWKS: empty }));
    assertEquals(error.code, "unauthorized");
  });
});

// The environment's keys lag behind a rotation

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
