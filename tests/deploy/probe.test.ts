// What the probes of a live project find when something is wrong with it, and what they say to do.
import { startSupabase, type Supabase } from "../../local/supabase.ts";
import { type ProbedProject, probeFunctions } from "../../operate/probe.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";

let supabase: Supabase;
let project: ProbedProject;

Deno.test.beforeAll(async () => {
  supabase = await startSupabase();
  const { env } = supabase;
  project = {
    url: supabase.url,
    secretKey: supabase.keys.secret,
    webhookUrl: env.TWILIO_WEBHOOK_URL,
    twilioAccountSid: env.TWILIO_ACCOUNT_SID,
    twilioAuthToken: env.TWILIO_AUTH_TOKEN,
  };
});

Deno.test.afterAll(() => supabase?.stop());

/** The findings that are not right: name, what was found, what to do. */
async function wrong(changes: Partial<ProbedProject> = {}): Promise<string[]> {
  const probes = await probeFunctions({ ...project, ...changes });
  assertEquals(probes.length, 6);
  for (const { name, ok, todo } of probes) assertEquals(ok, todo === undefined, name);
  return probes.filter(({ ok }) => !ok).map(({ name, found, todo }) => `${name}: ${found}: ${todo}`);
}

/** Fails unless there is exactly one finding, which has all these parts. */
function assertOnly(findings: string[], ...parts: string[]): void {
  assertEquals(findings.length, 1, findings.join("\n"));
  for (const part of parts) assertStringIncludes(findings[0]!, part);
}

async function withEnv(name: string, env: Record<string, string | undefined>): Promise<string[]> {
  await supabase.functions!.restart(name, env);
  try {
    return await wrong();
  } finally {
    await supabase.functions!.restart(name);
  }
}

Deno.test("a project in order, under its legacy key too", async () => {
  assertEquals(await wrong(), []);
  assertEquals(
    await wrong({ secretKey: supabase.env.SUPABASE_SERVICE_ROLE_KEY!, url: `${supabase.url}/` }),
    [],
  );
});

Deno.test("another token, account or URL at the functions than at the operator", async () => {
  const token = "TWILIO_AUTH_TOKEN or TWILIO_WEBHOOK_URL differs from that of the functions";
  assertOnly(
    await withEnv("twilio-media", { TWILIO_AUTH_TOKEN: "0".repeat(32) }),
    "403 invalid_signature",
    token,
  );
  assertOnly(
    await withEnv("twilio-media", { TWILIO_WEBHOOK_URL: `${supabase.url}/twilio` }),
    "403 invalid_signature instead of 404 not_found",
    token,
  );
  assertOnly(
    await withEnv("twilio-media", { TWILIO_ACCOUNT_SID: `AC${"0".repeat(32)}` }),
    "403 forbidden",
    "TWILIO_ACCOUNT_SID differs from that of the functions",
  );
});

Deno.test("a missing secret", async () => {
  assertOnly(
    await withEnv("upload-url", { ALLOWED_ORIGINS: undefined }),
    "upload-url without a token: 503 not_configured instead of 401",
    "the log of upload-url names it",
  );
});

Deno.test("a database without our migrations", async () => {
  const sql = supabase.connect("postgres");
  await sql`alter function public.route_inbound_message(text, text, text[], uuid) rename to gone`;
  const findings = await wrong();
  await sql`alter function public.gone(text, text, text[], uuid) rename to route_inbound_message`;
  assertOnly(findings, "500 internal instead of 404 not_found", "were all migrations applied?");
});

Deno.test("another project's secret key", async () => {
  const findings = await wrong({ secretKey: "sb_secret_of_another_project" });
  assertOnly(findings, "media-worker with the secret key: 401 unauthorized instead of 202", "key");
});

Deno.test("another address: nothing there, or something else", async () => {
  const nobody = await wrong({ url: "http://127.0.0.1:9", webhookUrl: "http://127.0.0.1:9/" });
  assertEquals(nobody.length, 6);
  for (const finding of nobody) assertStringIncludes(finding, "no connection: Is the URL the project's");

  const missing = await wrong({ webhookUrl: `${supabase.url}/functions/v1/twilio` });
  assertEquals(missing.length, 2, missing.join("\n"));
  for (const finding of missing) assertStringIncludes(finding, "twilio-media is not deployed there");

  // as the platform's gateway answers where verify_jwt is on
  await using asks = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    () => Response.json({ code: 401, message: "Missing authorization header" }, { status: 401 }),
  );
  const gateway = await wrong({ webhookUrl: `http://127.0.0.1:${asks.addr.port}/` });
  for (const finding of gateway) assertStringIncludes(finding, "will refuse Twilio: verify_jwt is on");
  assertEquals(gateway.length, 2, gateway.join("\n"));
});

Deno.test("without Twilio's credentials the signed webhook is told to be untried", async () => {
  assertOnly(await wrong({ twilioAuthToken: undefined }), "not tried", "TWILIO_AUTH_TOKEN");
});

Deno.test("no finding shows a key, a token or a number", async () => {
  const all = JSON.stringify(await probeFunctions({ ...project, twilioAuthToken: "f".repeat(32) }));
  for (const value of [project.secretKey, "f".repeat(32), project.twilioAccountSid!]) {
    assert(!all.includes(value));
  }
});
