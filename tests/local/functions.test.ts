// Functions as the stand-in runs them: their environment, the gateway before them, restarts, waitUntil, Twilio's hosts.
import { assert, assertEquals } from "../support/assert.ts";
import { join } from "node:path";
import { startSupabase, type Supabase } from "../../local/supabase.ts";

const probe = `
import { z } from "zod";
export default {
  async fetch(request: Request) {
    const url = new URL(request.url);
    switch (url.searchParams.get("do")) {
      case "env":
        return Response.json(Deno.env.toObject());
      case "version":
        return Response.json({ deno: Deno.version.deno, zod: typeof z.object });
      case "die":
        Deno.exit(3);
        break;
      case "later":
        EdgeRuntime.waitUntil(Promise.reject(new Error("failed later")));
        return new Response("accepted");
      case "twilio": {
        const response = await fetch("https://api.twilio.com/2010-04-01/Accounts/AC0/Messages.json", { redirect: "manual" });
        return Response.json({ url: response.url, status: response.status, body: await response.text() });
      }
      case "stream":
        return new Response(request.body);
    }
    return Response.json({ path: url.pathname, headers: Object.fromEntries(request.headers) });
  },
};
`;

const broken = `throw new Error("broken at import");`;

async function withFunctions(work: (supabase: Supabase, call: Call) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  await Deno.writeTextFile(join(directory, "probe.ts"), probe);
  await Deno.writeTextFile(join(directory, "broken.ts"), broken);
  const config = join(directory, "config.toml");
  await Deno.writeTextFile(
    config,
    `[functions.probe]\nverify_jwt = true\nentrypoint = "./probe.ts"\n` +
      `[functions.open]\nverify_jwt = false\nentrypoint = "./probe.ts"\n` +
      `[functions.broken]\nverify_jwt = false\nentrypoint = "./broken.ts"\n` +
      `[functions.off]\nenabled = false\nentrypoint = "./probe.ts"\n`,
  );
  const supabase = await startSupabase({
    functions: { config },
    migrations: false,
    seed: false,
    functionEnv: { SENDER_HASH_KEY: undefined, EXTRA: "given" },
  });
  try {
    await work(supabase, (path, init) => fetch(`${supabase.url}/functions/v1/${path}`, init));
  } finally {
    await supabase.stop();
    await Deno.remove(directory, { recursive: true });
  }
}

type Call = (path: string, init?: RequestInit) => Promise<Response>;

Deno.test("functions of the stand-in", async (t) => {
  await withFunctions(async (supabase, call) => {
    await t.step("run under Edge Runtime's Deno, with the bundle's imports", async () => {
      assertEquals(await (await call("open?do=version")).json(), { deno: "2.1.4", zod: "function" });
    });

    await t.step("see their own environment and nothing else", async () => {
      const env = await (await call("open?do=env")).json();
      assertEquals(
        Object.keys(env).sort(),
        [
          [
            "SUPABASE_URL",
            "SUPABASE_DB_URL",
            "SUPABASE_PUBLISHABLE_KEYS",
            "SUPABASE_SECRET_KEYS",
            "SUPABASE_JWKS",
          ],
          [
            "SUPABASE_ANON_KEY",
            "SUPABASE_SERVICE_ROLE_KEY",
            "SB_REGION",
            "SB_EXECUTION_ID",
            "PUBLIC_SUPABASE_URL",
          ],
          [
            "TWILIO_ACCOUNT_SID",
            "TWILIO_AUTH_TOKEN",
            "TWILIO_WEBHOOK_URL",
            "CUSTODY_SIGNING_KEY",
            "ENCRYPTION_KEY_CURRENT",
          ],
          ["ALLOWED_ORIGINS", "EXTRA", "MEDIA_WORKER_KEY"],
        ].flat().sort(),
      );
      assertEquals(JSON.parse(env.SUPABASE_SECRET_KEYS), { default: supabase.keys.secret });
    });

    await t.step("see the path from their name on, and who forwarded", async () => {
      const seen = await (await call("open/sub/path?x=1")).json();
      assertEquals(seen.path, "/open/sub/path");
      assertEquals(seen.headers["x-forwarded-host"], new URL(supabase.url).host);
      assertEquals(seen.headers["x-forwarded-proto"], "http");
    });

    await t.step("verify_jwt passes API keys and valid tokens, refuses the rest", async () => {
      const { keys } = supabase;
      const user = await keys.sign({ role: "authenticated", sub: crypto.randomUUID() }, 60);
      const expired = await keys.sign({ role: "authenticated" }, -60);
      const cases: [Record<string, string>, number][] = [
        [{}, 401],
        [{ apikey: keys.publishable }, 200],
        [{ apikey: keys.secret }, 200],
        [{ authorization: `Bearer ${keys.publishable}` }, 200],
        [{ authorization: `Bearer ${user}` }, 200],
        [{ authorization: `Bearer ${user.slice(0, -4)}AAAA` }, 401],
        [{ authorization: `Bearer ${expired}`, apikey: keys.publishable }, 401],
        [{ apikey: "sb_secret_wrong" }, 401],
      ];
      for (const [headers, status] of cases) {
        const response = await call("probe", { headers });
        assertEquals(response.status, status, JSON.stringify(headers));
        const body = await response.json();
        if (status === 401) assertEquals(body.code, 401);
      }
      assertEquals(
        await (await call("probe", { method: "OPTIONS" })).json().then((body) => body.path),
        "/probe",
      );
    });

    await t.step("bodies are streamed both ways", async () => {
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const writer = writable.getWriter();
      writer.write(new TextEncoder().encode("first"));
      const response = await call("open?do=stream", { method: "POST", body: readable });
      const reader = response.body!.getReader();
      assertEquals(new TextDecoder().decode((await reader.read()).value), "first");
      writer.write(new TextEncoder().encode("second"));
      assertEquals(new TextDecoder().decode((await reader.read()).value), "second");
      await writer.close();
      assertEquals((await reader.read()).done, true);
    });

    await t.step("one that dies is running again at once", async () => {
      const before = supabase.functions!.pids().open!;
      assertEquals((await call("open?do=die")).status, 500);
      assertEquals((await call("open?do=version")).status, 200);
      Deno.kill(supabase.functions!.pids().open!, "SIGKILL");
      await new Promise((resolve) => setTimeout(resolve, 50));
      assertEquals((await call("open?do=version")).status, 200);
      assert(supabase.functions!.pids().open !== before);
    });

    await t.step("a failed background promise is logged and harms nothing", async () => {
      const before = supabase.functions!.pids().open;
      assertEquals(await (await call("open?do=later")).text(), "accepted");
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert((await supabase.functions!.log()).includes("[open] EdgeRuntime.waitUntil: Error: failed later"));
      assertEquals(supabase.functions!.pids().open, before);
    });

    await t.step("Twilio's hosts are the pretend Twilio", async () => {
      const answer = await (await call("open?do=twilio")).json();
      assertEquals(answer.url, "https://api.twilio.com/2010-04-01/Accounts/AC0/Messages.json");
      assertEquals([answer.status, JSON.parse(answer.body).code], [401, 20003]);
    });

    await t.step("one that cannot start, and one that is not there, say so", async () => {
      const response = await call("broken");
      assertEquals([response.status, (await response.json()).code], [503, "BOOT_ERROR"]);
      assert((await supabase.functions!.log()).includes("broken at import"));
      assertEquals((await call("off")).status, 404);
    });

    await t.step("can be restarted with another environment", async () => {
      await supabase.functions!.restart("open", { TWILIO_AUTH_TOKEN: undefined });
      const env = await (await call("open?do=env")).json();
      assertEquals([env.TWILIO_AUTH_TOKEN, env.EXTRA], [undefined, "given"]);
    });
  });
});
