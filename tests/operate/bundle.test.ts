// A court bundle: made by one command, verified without us by another, by sha256sum and by the page in it; one flipped bit
// anywhere is found.
import { verifyBundle } from "../../operate/bundle/verify.ts";
import { readZip } from "../../operate/bundle/zip.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { ticketFile } from "../support/files.ts";
import { call } from "../support/functions.ts";
import { connect, makeTicket, ok, person, SECRET_KEY, service } from "../support/stack.ts";

const root = new URL("../..", import.meta.url).pathname;

async function run(program: string, args: string[], cwd = root): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args, cwd, env: { NO_COLOR: "1" } })
    .output();
  return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}
const command = (name: string, ...args: string[]) =>
  run(`${root}node_modules/deno-newest/deno`, ["run", "-A", "--no-check", `operate/${name}.ts`, ...args]);

async function bundled(directory: string) {
  const admin = await person("admin");
  const { id } = await makeTicket("mbombela", { is_sensitive: true });
  const files = [await ticketFile(admin, id), await ticketFile(admin, id, { filename: "Foto – nº 2.jpg" })];
  await call("media-worker", { headers: { apikey: SECRET_KEY, prefer: "wait=120" } });
  const { tracking_number } = await ok(
    service.from("tickets").select("tracking_number").eq("id", id).single(),
  );
  const path = `${directory}/bundle.zip`;
  const made = await command("bundle", "--ticket", tracking_number, "--for", "Sgt Nkosi", "--out", path);
  assertEquals(made.code, 0, made.text);
  return { path, files, ticket: tracking_number as string };
}

Deno.test("a bundle is recorded before it is read, holds every file, and verifies in three ways", async () => {
  const directory = await Deno.makeTempDir();
  const sql = connect();
  try {
    const { path, files, ticket } = await bundled(directory);
    for (const { fileId } of files) {
      const rows =
        await sql`select details::text from public.custody_records where file_id = ${fileId} and event = 'bundled'`;
      assertEquals(rows.length, 1);
      assert(!rows[0]!.details.includes("Nkosi"), "a name is in the log");
    }
    const checked = await command("verify-bundle", path);
    assertEquals(checked.code, 0, checked.text);
    assertEquals((await run("unzip", ["-q", path], directory)).code, 0);
    const sums = await run("sha256sum", ["-c", "manifest-sha256.txt"], `${directory}/${ticket}`);
    assertEquals(sums.code, 0, sums.text);
    assertEquals(
      (await run("sha256sum", ["-c", "tagmanifest-sha256.txt"], `${directory}/${ticket}`)).code,
      0,
    );
    for (const { fileId, blob } of files) {
      const [{ name }] = [...Deno.readDirSync(`${directory}/${ticket}/data/evidence/${fileId}`)] as [
        Deno.DirEntry,
      ];
      assertEquals(
        await Deno.readFile(`${directory}/${ticket}/data/evidence/${fileId}/${name}`),
        new Uint8Array(await blob.arrayBuffer()),
      );
    }
    const page = await Deno.readTextFile(`${directory}/${ticket}/verify.html`);
    assert(
      !/https?:\/\/(?!www\.w3\.org)/.test(page.replace(/\/\*[^]*?\*\//g, "")),
      "the page knows an address",
    );
    assertEquals(
      (await command(
        "bundle",
        "--ticket",
        "TKT-20200101-ZZZZZZ",
        "--for",
        "x",
        "--out",
        `${directory}/n.zip`,
      )).code,
      1,
    );
    assertEquals((await command("bundle", "--ticket", ticket)).code, 2);
    assertEquals((await command("verify-bundle", `${directory}/${ticket}/verify.html`)).code, 2);
  } finally {
    await sql.end();
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("one flipped bit anywhere in a bundle's files is found, and the file named", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const { path } = await bundled(directory);
    const bytes = await Deno.readFile(path);
    const verdicts = async () => await verifyBundle(await readZip(new Blob([bytes])));
    assertEquals((await verdicts()).flatMap(({ checks }) => checks.filter(({ good }) => !good)), []);
    // where each entry's content lies
    const text = new TextDecoder("latin1").decode(bytes);
    const entries = await readZip(new Blob([bytes]));
    for (const { path, size } of entries) {
      const at = text.indexOf(path) + path.length;
      for (let n = 0; n < 6; n++) {
        const place = at + 10 + Math.floor(Math.random() * Math.max(1, size - 20));
        const bit = 1 << Math.floor(Math.random() * 8);
        bytes[place]! ^= bit;
        const wrong = await verdicts().then(
          (all) => all.flatMap(({ checks }) => checks.filter(({ good }) => !good)),
          (error) => [{ what: String(error.message), good: false }],
        );
        assert(wrong.length > 0, `${path} at ${place}`);
        bytes[place]! ^= bit;
      }
    }
    // a file that was put in, or left out
    const missing = (await readZip(new Blob([bytes]))).filter(({ path }) => !path.includes("/evidence/"));
    assert((await verifyBundle(missing)).some(({ checks }) => checks.some(({ good }) => !good)));
    const more = await readZip(new Blob([bytes]));
    more.push({ ...more[0]!, path: more[0]!.path.replace("data/evidence", "data/evidence/more") });
    const found = (await verifyBundle(more)).flatMap(({ checks }) => checks.filter(({ good }) => !good));
    assertStringIncludes(found.map(({ what }) => what).join(), "nothing is in the bundle that is not listed");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
