import { exportJWK, exportSPKI, UnsecuredJWT } from "jose";
import { assert, assertEquals, assertInstanceOf } from "../support/assert.ts";
import { ServiceError } from "../../shared/platform/errors.ts";
import { failureOf, noFetch, withFetch } from "./tools.ts";
import {
  bearer,
  CLAIMS,
  identify,
  JWKS,
  now,
  ours,
  PROJECT,
  PUBLIC,
  refused,
  rsa,
  TENANT,
  theirs,
  token,
  USER,
  VARIABLES,
} from "./callers.ts";

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
