// The deploy check: what the real CLI uploads is enough to run every function, with no more than its import map, and no
// more than is needed. The repository is out of reach of the uploaded files: they lie in a directory of the system's own.
import { join } from "node:path";
import { readFunctionConfig } from "../../local/functions.ts";
import { bundleFunctions } from "../../operate/deploy/bundle.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";
import {
  type Answer,
  assertRefused,
  type Call,
  callHandler,
  until,
  uploadRequest,
} from "../support/functions.ts";
import { type ManagementApi, startManagement } from "../support/management.ts";
import { MUNICIPALITIES, person, PUBLISHABLE_KEY, sample, SECRET_KEY } from "../support/stack.ts";
import { mediaOf, newSender, sampleFile, twilio } from "../support/whatsapp.ts";
import {
  type Bundle,
  cli,
  MAX_BUNDLE,
  run,
  type Running,
  strangers,
  tooLarge,
  unpack,
  type Unpacked,
} from "./deployed.ts";

const root = new URL("../..", import.meta.url).pathname;
const NAMES = ["media-worker", "open-report", "signed-url", "twilio-media", "upload-url"];
const env = (name: string) => Deno.env.get(name)!;

/** What can be deployed, and the file that each function then begins with. */
const KINDS = { sources: "index.ts", bundle: "index.js" } as const;
type Kind = keyof typeof KINDS;

interface Deployed {
  api: ManagementApi;
  unpacked: Record<string, Unpacked>;
  running: Record<string, Running>;
}

let empty: string;
const deployed = {} as Record<Kind, Deployed>;

Deno.test.beforeAll(async () => {
  empty = await Deno.makeTempDir({ prefix: "deployed-" });
  const bundles = join(empty, "dist");
  assertEquals((await bundleFunctions(bundles)).sort(), NAMES);
  for (const kind of Object.keys(KINDS) as Kind[]) {
    const api = await startManagement();
    deployed[kind] = { api, unpacked: {}, running: {} };
    const deploy = await cli(
      api,
      ["functions", "deploy", "--use-api"],
      kind === "bundle" ? bundles : undefined,
    );
    assertEquals(deploy.code, 0, deploy.text);
    const unpacked = await forEach(
      [...api.functions.keys()],
      (name) => unpack(name, api.functions.get(name)!, join(empty, kind)),
    );
    deployed[kind].unpacked = unpacked;
    deployed[kind].running = await forEach(
      Object.keys(unpacked),
      (name) => run(unpacked[name]!, platformEnv(), env("PRETEND_TWILIO_URL")),
    );
  }
});

Deno.test.afterAll(async () => {
  for (const { api, running } of Object.values(deployed)) {
    for (const { stop } of Object.values(running)) await stop();
    await api.stop();
  }
  if (empty) await Deno.remove(empty, { recursive: true });
});

async function forEach<T>(names: string[], make: (name: string) => Promise<T>): Promise<Record<string, T>> {
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await make(name)])));
}

/** What a function has on the platform: its variables, and the secrets. */
function platformEnv(): Record<string, string> {
  const secrets = [
    [
      "TWILIO_ACCOUNT_SID",
      "TWILIO_AUTH_TOKEN",
      "TWILIO_WEBHOOK_URL",
      "ENCRYPTION_KEY_CURRENT",
      "SENDER_HASH_KEY",
      "MEDIA_WORKER_KEY",
    ],
    ["ALLOWED_ORIGINS", "PUBLIC_SUPABASE_URL"],
  ].flat();
  return {
    ...Object.fromEntries(["SUPABASE_URL", "SUPABASE_JWKS", ...secrets].map((name) => [name, env(name)])),
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: PUBLISHABLE_KEY }),
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: SECRET_KEY }),
  };
}

/** Calls a deployed function itself, past the gateway. */
function ask(kind: Kind, name: string, options: Call = {}): Promise<Answer> {
  return callHandler((request) => fetch(deployed[kind].running[name]!.url, request), options);
}

for (const kind of Object.keys(KINDS) as Kind[]) {
  Deno.test(`${kind}: every function of config.toml is deployed, with its verify_jwt and the import map`, async () => {
    const config = await readFunctionConfig(join(root, "supabase/config.toml"));
    const wanted = config.map((
      { name, verifyJwt },
    ) => [name, verifyJwt, `functions/${name}/${KINDS[kind]}`, "deno.json"]);
    const found = Array.from(deployed[kind].api.functions, ([name, { verifyJwt, entrypoint, importMap }]) => [
      name,
      verifyJwt,
      entrypoint,
      importMap,
    ]);
    assertEquals(found.sort(), wanted.sort());
    assertEquals(found.map(([name]) => name), NAMES);
  });

  Deno.test(`${kind}: nothing is uploaded but a function's own folder, shared code and deno.json`, () => {
    for (const [name, { files }] of deployed[kind].api.functions) {
      assertEquals(strangers(name, files.keys()), [], name);
    }
  });

  Deno.test(`${kind}: a bundle, whole npm packages included, stays under the platform's limit`, () => {
    const bundles = Object.values(deployed[kind].unpacked).map(({ bundle }) => bundle);
    for (const { name, sources, packages } of bundles) {
      const mb = (bytes: number) => (bytes / 1e6).toFixed(2);
      console.log(
        `note: ${kind} of ${name}: ${mb(sources + packages)} of ${MAX_BUNDLE / 1e6} MB ` +
          `(sources ${mb(sources)}, packages ${mb(packages)})`,
      );
      assert(sources > 10_000, `${name} was not measured`);
      // a bundle needs nothing of npm's any more
      assert(kind === "bundle" ? packages === 0 : packages > 1_000_000, `${name}: ${packages}`);
    }
    assertEquals(tooLarge(bundles), []);
  });

  Deno.test(`${kind}: the uploaded files alone, a browser's preflight, and a refusal in our shape without credentials`, async () => {
    for (const name of NAMES) {
      const preflight = await ask(kind, name, { method: "OPTIONS" });
      assertEquals([preflight.status, preflight.text], [204, ""], name);
    }
    for (const name of ["upload-url", "signed-url", "media-worker"]) {
      assertRefused(await ask(kind, name, { headers: { apikey: null }, body: {} }), "unauthorized", name);
    }
    const headers = { apikey: null, "content-type": "application/x-www-form-urlencoded" };
    assertRefused(await ask(kind, "twilio-media", { headers, body: "a=b" }), "invalid_signature");
  });

  Deno.test(`${kind}: the uploaded files alone, a file announced, uploaded, hashed, and looked at`, async () => {
    const manager = await person("manager");
    const { token, supabase } = manager;
    const slot = await ask(kind, "upload-url", { token, body: uploadRequest() });
    assertEquals(slot.status, 200, slot.text);
    const { bucket, path, file_id } = slot.body;
    const { error } = await supabase.storage.from(bucket).uploadToSignedUrl(path, slot.body.token, sample());
    assertEquals(error, null);

    const round = await ask(kind, "media-worker", { headers: { apikey: SECRET_KEY, prefer: "wait=120" } });
    assertEquals([round.status, round.body.failed], [200, 0], round.text);
    assert(round.body.done >= 1, round.text);

    const look = await ask(kind, "signed-url", { token, body: { file_id } });
    assertEquals(look.status, 200, look.text);
    const file = await fetch(look.body.signed_url);
    assertEquals([file.status, (await file.bytes()).length], [200, 2000]);
  });

  Deno.test(`${kind}: the uploaded files alone, a WhatsApp photo is stored`, async () => {
    const sent = await twilio.sendMessage({
      from: `whatsapp:${newSender()}`,
      to: `whatsapp:${MUNICIPALITIES.mbombela.number}`,
      body: "Burst pipe",
      files: [await sampleFile("burst-pipe.jpg")],
      options: {
        webhook_url: deployed[kind].running["twilio-media"]!.url,
        signed_url: env("TWILIO_WEBHOOK_URL"),
      },
    });
    assertEquals(sent.status, 200, sent.body);
    await until("the photo is stored", async () => (await mediaOf(sent.message_sid))[0]?.status === "stored");
  });
}

// what the check is for: each mistake, made

Deno.test("an import from local/ is found", async () => {
  const project = await copyOfProject();
  try {
    const path = join(project, "functions/upload-url/index.ts");
    await Deno.writeTextFile(
      path,
      `import "../../local/twilio-client.ts";\n${await Deno.readTextFile(path)}`,
    );
    const other = await startManagement();
    try {
      const deploy = await cli(other, ["functions", "deploy", "upload-url", "--use-api"], project);
      assertEquals(deploy.code, 0, deploy.text);
      assertEquals(strangers("upload-url", other.functions.get("upload-url")!.files.keys()), [
        "local/twilio-client.ts",
      ]);
    } finally {
      await other.stop();
    }
  } finally {
    await Deno.remove(project, { recursive: true });
  }
});

/** As much of the repository as a deploy reads. */
async function copyOfProject(): Promise<string> {
  const project = await Deno.makeTempDir({ prefix: "project-" });
  await Deno.mkdir(join(project, "supabase"));
  const { code } = await new Deno.Command("cp", {
    args: ["-r", "functions", "shared", "local", "deno.json", project],
    cwd: root,
  }).output();
  assertEquals(code, 0);
  await Deno.copyFile(join(root, "supabase/config.toml"), join(project, "supabase/config.toml"));
  return project;
}

Deno.test("what is not a function's own or shared code is a stranger", () => {
  const strange = [
    "local/keys.ts",
    "tests/support/stack.ts",
    "examples/a.ts",
    "bench/b.ts",
    "functions/signed-url/index.ts",
  ];
  const operators = ["operate/project.ts", "client/mod.ts", "package.json"];
  const own = [
    "deno.json",
    "functions/upload-url/index.ts",
    "shared/platform/errors.ts",
    "shared/contracts.ts",
  ];
  assertEquals(strangers("upload-url", [...strange, ...operators, ...own]), [...strange, ...operators]);
});

Deno.test("a package that deno.json does not name is found, though node_modules has it", async () => {
  const uploaded = deployed.sources.api.functions.get("upload-url")!;
  const { scopes: _, imports: { jose, ...imports }, ...rest } = JSON.parse(
    new TextDecoder().decode(uploaded.files.get("deno.json")),
  );
  assert(jose, "upload-url does not use jose any more: choose another package");
  const files = new Map(uploaded.files);
  files.set("deno.json", new TextEncoder().encode(JSON.stringify({ imports, ...rest })));
  const error = await assertRejects(() => unpack("no-jose", { ...uploaded, files }, empty), Error);
  assertStringIncludes(error.message, '"jose"');
});

Deno.test("a bundle at the limit is too large, whatever it consists of", () => {
  const bundle = (name: string, sources: number, packages: number): Bundle => ({ name, sources, packages });
  const large = [bundle("at", 1, MAX_BUNDLE - 1), bundle("sources", MAX_BUNDLE, 0)];
  assertEquals(tooLarge([bundle("under", 1, MAX_BUNDLE - 2), ...large]), large);
});
