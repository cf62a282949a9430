// Callers whom upload-url and signed-url refuse: no token, a forged one, one of the wrong claims.
import { signedUrl } from "../../functions/signed-url/index.ts";
import { uploadUrl } from "../../functions/upload-url/index.ts";
import { SignJWT } from "jose";
import { assertEquals } from "../support/assert.ts";
import { ownFile, serviceFile } from "../support/files.ts";
import {
  assertRefused,
  call,
  callHandler,
  claimsOf,
  type Code,
  storesNothing,
  uploadRequest,
} from "../support/functions.ts";
import { captureConsole, functionEnvironment, makeSigner } from "../support/handlers.ts";
import { withPerson } from "../support/people.ts";
import { MUNICIPALITIES, person, PUBLISHABLE_KEY, SECRET_KEY, URL_BASE } from "../support/stack.ts";

const NAMES = ["upload-url", "signed-url"] as const;

/** A body that the function would take, from somebody who may. */
const goodBody = (name: typeof NAMES[number], fileId: string = crypto.randomUUID()) =>
  name === "upload-url" ? uploadRequest() : { file_id: fileId };

Deno.test("without a user's token nobody gets anything: no token, garbage, and keys as Bearer are unauthorized", async () => {
  const legacy = ["SUPABASE_ANON_KEY", "SUPABASE_SERVICE_ROLE_KEY"].map((name) => Deno.env.get(name)!);
  const { fileId } = await serviceFile("evidence", "mbombela");
  await storesNothing(async () => {
    for (const name of NAMES) {
      const body = goodBody(name, fileId);
      assertRefused(await call(name, { body }), "unauthorized", `${name}, no token`);
      const basic = { authorization: "Basic dXNlcjpwYXNz" };
      assertRefused(await call(name, { body, headers: basic }), "unauthorized", `${name}, Basic`);
      for (const token of [PUBLISHABLE_KEY, SECRET_KEY, ...legacy]) {
        assertRefused(await call(name, { token, body }), "unauthorized", `${name}, ${token.slice(0, 8)}`);
        const answer = await call(name, { token, body, headers: { apikey: SECRET_KEY } });
        assertRefused(answer, "unauthorized", `${name}, ${token.slice(0, 8)} beside the secret key`);
      }
      // these the gateway may answer itself
      assertEquals((await call(name, { body, headers: { apikey: null } })).status, 401, "no key at all");
      assertEquals((await call(name, { token: "garbage", body })).status, 401, "garbage");
      assertEquals((await call(name, { token: "a.b.c", body })).status, 401, "a.b.c");
    }
  });
});

const base64Url = (value: unknown) =>
  btoa(JSON.stringify(value)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

/** Forgeries of a real person's token. */
async function forgeries(token: string): Promise<Record<string, string>> {
  const jwks = Deno.env.get("SUPABASE_JWKS")!;
  const jwk = JSON.parse(jwks).keys[0];
  const claims = claimsOf(token);
  const [header, payload, signature] = token.split(".");
  const stronger = { ...claims, app_metadata: { ...claims.app_metadata as object, role: "admin" } };
  const bytes = (text: string) => new TextEncoder().encode(text);
  const hs256 = (secret: string) =>
    new SignJWT(claims).setProtectedHeader({ alg: "HS256", kid: jwk.kid, typ: "JWT" }).sign(bytes(secret));
  return {
    "another key with our kid": await (await makeSigner(jwk.kid)).sign(claims),
    "another key with its own kid": await (await makeSigner()).sign(claims),
    "algorithm none": `${base64Url({ alg: "none", typ: "JWT" })}.${payload}.`,
    "algorithm none with the signature": `${
      base64Url({ alg: "none", kid: jwk.kid })
    }.${payload}.${signature}`,
    "HS256 with the JWKS as secret": await hs256(jwks),
    "HS256 with the public key as secret": await hs256(JSON.stringify(jwk)),
    "HS256 with the publishable key as secret": await hs256(PUBLISHABLE_KEY),
    "claims changed": `${header}.${base64Url(stronger)}.${signature}`,
    "signature cut off": `${header}.${payload}.`,
    "signature cut short": token.slice(0, -8),
  };
}

Deno.test("a forged token is refused: through the gateway, and by the function itself as unauthorized", async () => {
  const { token } = await person("citizen");
  const handlers = {
    "upload-url": uploadUrl(functionEnvironment()),
    "signed-url": signedUrl(functionEnvironment()),
  };
  const { fileId } = await ownFile(await person("citizen"), "evidence");
  const forged = await forgeries(token);
  await captureConsole(async () => {
    await storesNothing(async () => {
      for (const name of NAMES) {
        const body = goodBody(name, fileId);
        for (const [what, token] of Object.entries(forged)) {
          assertEquals((await call(name, { token, body })).status, 401, `${name}, ${what}`);
          const answer = await callHandler(handlers[name], { token, body });
          assertRefused(answer, "unauthorized", `${name}, ${what}`);
        }
      }
    });
    for (const name of NAMES) {
      const { status } = await callHandler(handlers[name], { token, body: goodBody(name, fileId) });
      assertEquals(status, 200, "the token that was forged is good");
    }
  });
});

Deno.test("a token of the right key and the wrong claims is unauthorized; without a municipality forbidden", async () => {
  const signer = await makeSigner();
  const env = functionEnvironment({ SUPABASE_JWKS: JSON.stringify({ keys: [signer.jwk] }) });
  const handlers = { "upload-url": uploadUrl(env), "signed-url": signedUrl(env) };
  const now = Math.floor(Date.now() / 1000);
  const good = {
    iss: `${URL_BASE}/auth/v1`,
    aud: "authenticated",
    role: "authenticated",
    sub: crypto.randomUUID(),
    iat: now,
    exp: now + 3600,
    app_metadata: { tenant_id: MUNICIPALITIES.mbombela.id, role: "admin" },
  };
  const cases: [what: string, claims: Record<string, unknown>, code: Code][] = [
    ["expired a minute ago", { exp: now - 60 }, "unauthorized"],
    ["no expiry", { exp: undefined }, "unauthorized"],
    ["not valid yet", { nbf: now + 3600 }, "unauthorized"],
    ["another project's issuer", { iss: "https://other.supabase.co/auth/v1" }, "unauthorized"],
    ["an issuer that begins with ours", { iss: `${URL_BASE}/auth/v1.evil.example` }, "unauthorized"],
    ["no issuer", { iss: undefined }, "unauthorized"],
    ["another audience", { aud: "anon" }, "unauthorized"],
    ["no audience", { aud: undefined }, "unauthorized"],
    ["role service_role", { role: "service_role" }, "unauthorized"],
    ["role anon", { role: "anon" }, "unauthorized"],
    ["role postgres", { role: "postgres" }, "unauthorized"],
    ["no role", { role: undefined }, "unauthorized"],
    ["no subject", { sub: undefined }, "unauthorized"],
    ["no app_metadata", { app_metadata: undefined }, "forbidden"],
    ["no municipality", { app_metadata: { role: "admin" } }, "forbidden"],
    ["a municipality that is no text", { app_metadata: { tenant_id: 1, role: "admin" } }, "forbidden"],
    [
      "a municipality in user_metadata",
      {
        app_metadata: { role: "admin" },
        user_metadata: { tenant_id: MUNICIPALITIES.mbombela.id },
      },
      "forbidden",
    ],
  ];
  await captureConsole(async () => {
    await storesNothing(async () => {
      for (const name of NAMES) {
        for (const [what, changes, code] of cases) {
          const token = await signer.sign({ ...good, ...changes });
          const answer = await callHandler(handlers[name], { token, body: goodBody(name) });
          assertRefused(answer, code, `${name}, ${what}`);
        }
        // only the claims were wrong: with none of these faults the request is read
        const token = await signer.sign(good);
        assertRefused(await callHandler(handlers[name], { token, body: {} }), "invalid_request", name);
      }
    });
  });
});

Deno.test("an account of no municipality is forbidden, whatever its user_metadata says", async () => {
  const tenant_id = MUNICIPALITIES.mbombela.id;
  const { fileId } = await serviceFile("evidence", "mbombela");
  const accounts: { app?: Record<string, unknown>; own?: Record<string, unknown> }[] = [
    {},
    { own: { tenant_id, role: "admin" } },
    { app: { role: "admin" }, own: { tenant_id } },
    { app: { tenant_id: "mbombela", role: "admin" } },
    { app: { tenant_id: "", role: "admin" } },
    { app: { tenant_id: null, role: "admin" } },
  ];
  for (const metadata of accounts) {
    await withPerson(metadata, async ({ token }) => {
      await storesNothing(async () => {
        for (const name of NAMES) {
          const answer = await call(name, { token, body: goodBody(name, fileId) });
          assertRefused(answer, "forbidden", `${name}, ${JSON.stringify(metadata)}`);
        }
      });
    });
  }
});

Deno.test("an unknown role counts as citizen, and a role in user_metadata as none", async () => {
  const tenant_id = MUNICIPALITIES.mbombela.id;
  const others = await serviceFile("evidence", "mbombela");
  const gbv = await serviceFile("gbv-evidence", "mbombela");
  for (
    const metadata of [
      { app: { tenant_id, role: "superuser" } },
      { app: { tenant_id, role: "Admin" } },
      { app: { tenant_id, role: ["admin"] } },
      { app: { tenant_id } },
      { app: { tenant_id, role: "citizen" }, own: { tenant_id, role: "admin" } },
    ]
  ) {
    await withPerson(metadata, async ({ token, supabase, userId }) => {
      const what = JSON.stringify(metadata);
      const purpose = "gbv-evidence";
      await storesNothing(async () => {
        const upload = await call("upload-url", { token, body: uploadRequest({ purpose }) });
        assertRefused(upload, "forbidden", what);
        for (const { fileId } of [others, gbv]) {
          assertRefused(await call("signed-url", { token, body: { file_id: fileId } }), "not_found", what);
        }
      });
      const own = await ownFile(
        { role: "citizen", slug: "mbombela", tenant: tenant_id, userId, token, supabase },
        "evidence",
      );
      assertEquals((await call("signed-url", { token, body: { file_id: own.fileId } })).status, 200, what);
    });
  }
});
