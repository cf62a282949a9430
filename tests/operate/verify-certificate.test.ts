// A certificate verified by whoever holds it: offline, without us. One changed sign anywhere in what it proves is found.
import { type Certificate, verifyCertificate } from "../../shared/evidence/proof.ts";
import { stamp } from "../../shared/evidence/timestamp.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { startAuthority } from "../support/authority.ts";
import { serviceFile } from "../support/files.ts";
import { call } from "../support/functions.ts";
import { ok, person, SECRET_KEY, sha256 } from "../support/stack.ts";

const root = new URL("../..", import.meta.url).pathname;
const work = () => call("media-worker", { headers: { apikey: SECRET_KEY, prefer: "wait=120" } });

/** A file with several records, and its certificate with a checkpoint. */
async function certified() {
  const file = await serviceFile("gbv-evidence", "mbombela");
  await work();
  const { supabase } = await person("saps_liaison");
  for (let n = 0; n < 3; n++) {
    await ok(supabase.rpc("custody_certificate", { file_id: file.fileId }));
    await work();
  }
  const certificate = await ok(supabase.rpc("custody_certificate", { file_id: file.fileId })) as Certificate;
  return { file, certificate };
}

const wrong = async (certificate: Certificate, given = {}) =>
  (await verifyCertificate(certificate, given)).filter(({ good }) => !good).map(({ what }) => what);

/** Another value of the same kind: one sign of a text, one more of a number. */
function altered(value: unknown): unknown {
  if (typeof value === "number") return value + 1;
  if (typeof value === "boolean") return !value;
  if (value === null) return "x";
  const at = Math.floor(String(value).length / 2);
  return String(value).replace(
    new RegExp(`^([^]{${at}})([^])`),
    (_, head, sign) => head + (sign === "a" ? "b" : "a"),
  );
}

Deno.test("a whole certificate verifies; each value of what it proves, changed by one sign, is found", async () => {
  const { file, certificate } = await certified();
  const hash = await sha256(file.blob);
  const publicKey = certificate.checkpoint!.key.public_key;
  assertEquals(await wrong(certificate, { sha256: hash, publicKey }), []);
  assertEquals(await wrong(certificate, { sha256: hash.replace(/^./, (c) => c === "0" ? "1" : "0") }), [
    "the file in hand is the certified file, byte for byte",
  ]);
  assertEquals(await wrong(certificate, { publicKey: "another" }), ["the key is the one you gave"]);

  let tried = 0;
  const visit = async (at: string, holder: Record<string, unknown>): Promise<void> => {
    for (const [name, value] of Object.entries(holder)) {
      const path = `${at}.${name}`;
      if (
        /^\.(wording|issued|tracking|municipality\.(?!id))|\.(created_at|timestamps|audited_at|valid_\w+|name)$/
          .test(path)
      ) continue;
      if (
        /^\.file\.(declared|source|status|message|media|stored|received)|^\.checkpoint\.key\.key_id/.test(
          path,
        )
      ) continue;
      if (value && typeof value === "object") {
        await visit(path, value as Record<string, unknown>);
        continue;
      }
      tried++;
      holder[name] = altered(value);
      const found = await wrong(certificate).catch(() => ["it cannot be read"]);
      assert(found.length > 0, `${path}: ${value} → ${holder[name]}`);
      holder[name] = value;
    }
  };
  await visit("", certificate as unknown as Record<string, unknown>);
  assert(tried > 80, `${tried}`);
  assertEquals(await wrong(certificate), []);
});

Deno.test("records taken out of a certificate, or put in another order, do not pass for the file's history", async () => {
  const { certificate } = await certified();
  const { records } = certificate;
  assert((await wrong({ ...certificate, records: [] })).length > 0);
  assert(
    (await wrong({ ...certificate, records: records.filter(({ event }) => event !== "received") })).length >
      0,
  );
});

Deno.test("verify-certificate tells in plain words what holds, what does not, and what it cannot know", async () => {
  const { file, certificate } = await certified();
  const directory = await Deno.makeTempDir();
  const authority = await startAuthority();
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command(`${root}node_modules/deno-newest/deno`, {
      // offline: no network, no environment
      args: [
        "run",
        "--allow-read",
        "--deny-net",
        "--allow-env",
        "--no-check",
        "operate/verify-certificate.ts",
        ...args,
      ],
      cwd: root,
      env: { NO_COLOR: "1" },
    }).output();
    return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  };
  try {
    const paths = {
      paper: `${directory}/c.json`,
      forged: `${directory}/forged.json`,
      photo: `${directory}/photo.jpg`,
    };
    await Deno.writeTextFile(paths.paper, JSON.stringify(certificate, null, 2));
    await Deno.writeTextFile(paths.forged, JSON.stringify(certificate).replace('"certified"', '"retried"'));
    await Deno.writeFile(paths.photo, await file.blob.bytes());
    const well = await run(
      paths.paper,
      "--file",
      paths.photo,
      "--key",
      certificate.checkpoint!.key.public_key,
    );
    assertEquals(well.code, 0, well.text);
    assertStringIncludes(well.text, "ok     the file in hand is the certified file, byte for byte");
    const alone = await run(paths.paper);
    assertEquals(alone.code, 0, alone.text);
    assertStringIncludes(alone.text, "Not checked: the file itself");
    const forged = await run(paths.forged);
    assertEquals(forged.code, 1, forged.text);
    assertStringIncludes(forged.text, "WRONG  record");
    assertEquals((await run(paths.photo)).code, 2);
    assertEquals((await run()).code, 2);

    const { checkpoint } = certificate;
    const stampOf = async (text: string) => {
      const { token, stampedAt } = await stamp(authority.url, text);
      const stamped = {
        ...checkpoint,
        timestamps: [{ authority: authority.url, token, stamped_at: stampedAt }],
      };
      await Deno.writeTextFile(paths.paper, JSON.stringify({ ...certificate, checkpoint: stamped }));
      return await run(paths.paper);
    };
    const stamped = await stampOf(checkpoint!.note);
    assertEquals(stamped.code, 0, stamped.text);
    assertStringIncludes(stamped.text, "Stamped by Test TSA (certified by Test CA) at ");
    const another = await stampOf(`${checkpoint!.note}another`);
    assertEquals(another.code, 1, another.text);
    assertStringIncludes(another.text, `WRONG  the stamp of ${authority.url} is of this checkpoint`);
  } finally {
    await authority.stop();
    await Deno.remove(directory, { recursive: true });
  }
});
