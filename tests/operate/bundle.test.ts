// A court bundle: made by one command, verified without us by another, by sha256sum and by the page in it; one flipped bit
// anywhere is found.
import { makeZip } from "client-zip";
import { bag, hash } from "../../shared/bundle/bag.ts";
import { verifyBundle } from "../../shared/bundle/verify.ts";
import { readZip } from "../../shared/bundle/zip.ts";
import { stamp } from "../../shared/evidence/timestamp.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { startAuthority } from "../support/authority.ts";
import { ticketFile } from "../support/files.ts";
import { call } from "../support/functions.ts";
import { connect, makeTicket, MUNICIPALITIES, ok, person, SECRET_KEY, service } from "../support/stack.ts";
import { accepted, newSender, sampleFile, settled, ticketOf } from "../support/whatsapp.ts";

const root = new URL("../..", import.meta.url).pathname;

async function run(program: string, args: string[], cwd = root): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args, cwd, env: { NO_COLOR: "1" } })
    .output();
  return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}
const command = (name: string, ...args: string[]) =>
  run(`${root}node_modules/deno-newest/deno`, ["run", "-A", "--no-check", `operate/${name}.ts`, ...args]);

async function bundled(directory: string, ...options: string[]) {
  const admin = await person("admin");
  const { id } = await makeTicket("mbombela", { is_sensitive: true });
  const files = [await ticketFile(admin, id), await ticketFile(admin, id, { filename: "Foto – nº 2.jpg" })];
  await call("media-worker", { headers: { apikey: SECRET_KEY, prefer: "wait=120" } });
  const { tracking_number } = await ok(
    service.from("tickets").select("tracking_number").eq("id", id).single(),
  );
  const path = `${directory}/bundle.zip`;
  const made = await command(
    "bundle",
    "--ticket",
    tracking_number,
    "--for",
    "Sgt Nkosi",
    "--out",
    path,
    ...options,
  );
  assertEquals(made.code, 0, made.text);
  return { path, files, ticket: tracking_number as string, said: made.text };
}

/** What is wrong with a bundle whose messages somebody exchanged, with all that a bag lists of them. */
async function remade(path: string, change: (text: string) => string | undefined): Promise<string[]> {
  const bytes = await Deno.readFile(path);
  const texts = new Map<string, string>();
  const entries = await readZip(new Blob([bytes]));
  const folder = entries[0]!.path.split("/")[0]!;
  for (const { path, stream } of entries) {
    if (/\.(txt|json)$/.test(path)) {
      texts.set(path.slice(folder.length + 1), await new Response(await stream()).text());
    }
  }
  const messages = change(texts.get("data/messages.json") ?? "");
  const lines = texts.get("manifest-sha256.txt")!.split("\n").filter((line) =>
    !line.endsWith("messages.json")
  );
  if (messages !== undefined) lines.unshift(`${await hash(messages)}  data/messages.json`);
  const manifest = lines.join("\n");
  const tags = texts.get("tagmanifest-sha256.txt")!.replace(
    /[0-9a-f]{64}( {2}manifest)/,
    `${await hash(manifest)}$1`,
  );
  const made = new Map([["data/messages.json", messages], ["manifest-sha256.txt", manifest], [
    "tagmanifest-sha256.txt",
    tags,
  ]]);
  const kept = entries.filter(({ path }) => !made.has(path.slice(folder.length + 1)));
  const added = [...made].filter(([, text]) => text !== undefined).map(([path, text]) => {
    const blob = new Blob([text!]);
    return { path: `${folder}/${path}`, size: blob.size, stream: () => Promise.resolve(blob.stream()) };
  });
  const verdicts = await verifyBundle([...kept, ...added]);
  return verdicts.flatMap(({ checks }) => checks.filter(({ good }) => !good).map(({ what }) => what));
}

/** A file's words from a bundle. */
async function entry(path: string, name: string): Promise<string | undefined> {
  const entries = await readZip(await Deno.readFile(path).then((bytes) => new Blob([bytes])));
  const found = entries.find((entry) => entry.path.endsWith(`/${name}`));
  return found && await new Response(await found.stream()).text();
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
    const folder = `${directory}/${ticket}`;
    await Deno.writeTextFile(`${folder}/data/.DS_Store`, "left by a Mac");
    assertEquals((await command("verify-bundle", folder)).code, 0);
    await Deno.writeTextFile(`${folder}/data/more.txt`, "put in");
    assertStringIncludes(
      (await command("verify-bundle", folder)).text,
      "nothing is in the bundle that is not listed",
    );
    await Deno.remove(`${folder}/data/more.txt`);
    for (const { fileId, blob } of files) {
      const [{ name }] = [...Deno.readDirSync(`${directory}/${ticket}/data/evidence/${fileId}`)] as [
        Deno.DirEntry,
      ];
      assertEquals(
        await Deno.readFile(`${directory}/${ticket}/data/evidence/${fileId}/${name}`),
        new Uint8Array(await blob.arrayBuffer()),
      );
    }
    const [one] = [...Deno.readDirSync(`${folder}/data/evidence/${files[0]!.fileId}`)];
    const photo = `${folder}/data/evidence/${files[0]!.fileId}/${one!.name}`;
    const bytes = await Deno.readFile(photo);
    await Deno.writeFile(photo, bytes.with(100, bytes[100]! ^ 1));
    const changed = await command("verify-bundle", folder);
    assertEquals(changed.code, 1);
    assertStringIncludes(changed.text, "WRONG: the file in hand is the certified file, byte for byte");
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

Deno.test("a bundle has the checkpoint that covers it, and says what it lacks", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const { path } = await bundled(directory);
    const [note, info] = [await entry(path, "data/checkpoint.txt"), await entry(path, "bag-info.txt")];
    const checked = await command("verify-bundle", path);
    const [{ public_key }] = JSON.parse((await entry(path, "data/public-keys.json"))!);
    assertEquals((await command("verify-bundle", "--key", public_key, path)).code, 0);
    assertEquals((await command("verify-bundle", "--key", btoa("another"), path)).code, 1);
    assertStringIncludes(checked.text, "MISSING: No outside authority has stamped the checkpoint");
    assert(!checked.text.includes("later than the checkpoint"), checked.text);
    const entries = await readZip(new Blob([await Deno.readFile(path)]));
    const certificates = entries.filter(({ path }) => path.includes("/data/certificates/"));
    for (const certificate of certificates) {
      const { records } = await new Response(await certificate.stream()).json();
      const { seq, details } = records.find(({ event }: { event: string }) => event === "bundled");
      assert(seq <= Number(note!.split("\n")[1]), "its own record is later than its checkpoint");
      assertStringIncludes(info!, details.bundle_id);
    }

    // as if nobody signed, or the worker had not yet
    const without = async (change: (certificate: Record<string, unknown>) => void) =>
      await verifyBundle(
        await Promise.all(
          entries.filter(({ path }) => !path.endsWith("checkpoint.txt")).map(async (entry) => {
            if (!certificates.includes(entry)) return entry;
            const certificate = await new Response(await entry.stream()).json();
            change(certificate);
            const text = new Blob([JSON.stringify(certificate)]);
            return { ...entry, size: text.size, stream: () => Promise.resolve(text.stream()) };
          }),
        ),
      );
    const [unsigned] = await without((certificate) => certificate.checkpoint = null);
    assertStringIncludes(unsigned!.missing.join(), "There is no signed checkpoint");
    assert(unsigned!.checks.some(({ what, good }) => !good && what.startsWith("data/checkpoint.txt is as")));
    const [, file] = await without((certificate) => (certificate.checkpoint as { size: number }).size = 1);
    assertStringIncludes(file!.missing.join(), "records are later than the checkpoint");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a bundle's time stamps are of its checkpoint, and verify by OpenSSL as README.txt says", async () => {
  const directory = await Deno.makeTempDir();
  const authority = await startAuthority();
  try {
    const { path, files } = await bundled(directory);
    const certificates = await Promise.all(
      files.map(async ({ fileId }) => JSON.parse((await entry(path, `data/certificates/${fileId}.json`))!)),
    );
    const [, bundleId] = /Internal-Sender-Identifier: (.+)/.exec((await entry(path, "bag-info.txt"))!)!;
    const { note } = certificates[0].checkpoint;
    const stamped = async (text: string) => {
      const { token, stampedAt } = await stamp(authority.url, text);
      for (const { checkpoint } of certificates) {
        checkpoint.timestamps = [{ authority: authority.url, stamped_at: stampedAt, token }];
      }
      const read = async ({ file_id }: { file_id: string }) =>
        new Uint8Array(await files.find(({ fileId }) => fileId === file_id)!.blob.arrayBuffer());
      const parts = bag({ name: "TKT", bundleId: bundleId!, certificates, page: "", read });
      return await readZip(await new Response(makeZip(parts)).blob());
    };
    const entries = await stamped(note);
    const verdicts = await verifyBundle(entries);
    assertEquals(verdicts.flatMap(({ checks }) => checks.filter(({ good }) => !good)), []);
    assertStringIncludes(verdicts.flatMap(({ missing }) => missing).join(), "Whose key signed");
    const { public_key } = certificates[0].checkpoint.key;
    const known = await verifyBundle(entries, public_key);
    assertEquals(
      known.flatMap(({ checks, missing }) => [...checks.filter(({ good }) => !good), ...missing]),
      [],
    );
    assertStringIncludes(verdicts[0]!.facts.join(), "Stamped by Test TSA (certified by Test CA) at ");
    const token = entries.find(({ path }) => path === "TKT/data/timestamps/1.der")!;
    const der = new Uint8Array(await new Response(await token.stream()).arrayBuffer());
    assert(await authority.verify(der.toBase64(), (await entry(path, "data/checkpoint.txt"))!));

    const theirs = `A${public_key.slice(1)}` === public_key
      ? `B${public_key.slice(1)}`
      : `A${public_key.slice(1)}`;
    const [, file] = await verifyBundle(entries, theirs);
    assertEquals(file!.checks.filter(({ good }) => !good).map(({ what }) => what), [
      "the key is the one you gave",
    ]);

    const wrong = await verifyBundle(await stamped(`${note}of another`));
    assertEquals(
      wrong.flatMap(({ checks }) => checks.filter(({ good }) => !good).map(({ what }) => what)),
      ["every time stamp is of that checkpoint, and signed as it says"],
    );
  } finally {
    await authority.stop();
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a bundle of some of a ticket's files has those alone; a file of another ticket is none of them", async () => {
  const directory = await Deno.makeTempDir();
  const sql = connect();
  try {
    const { files: [one, two], ticket } = await bundled(directory);
    const other = await bundled(await Deno.makeTempDir({ dir: directory }));
    const some = `${directory}/some.zip`;
    const made = (...ids: string[]) =>
      command("bundle", "--ticket", ticket, "--for", "x", "--files", ids.join(), "--out", some);
    assertEquals((await made(one!.fileId, other.files[0]!.fileId)).code, 1);
    assertEquals((await made(one!.fileId)).code, 0);
    const names = (await readZip(new Blob([await Deno.readFile(some)]))).map(({ path }) => path);
    assert(names.some((name) => name.includes(`/data/evidence/${one!.fileId}/`)));
    assert(!names.some((name) => name.includes(two!.fileId)), "a file that was not asked for");
    const times = await sql`
      select file_id, count(*)::int from public.custody_records where event = 'bundled' group by file_id`;
    const recorded = (id: string) => times.find(({ file_id }) => file_id === id)!.count;
    assertEquals([one!, two!, other.files[0]!].map(({ fileId }) => recorded(fileId)), [2, 1, 1]);
    assertEquals((await command("verify-bundle", some)).code, 0);
  } finally {
    await sql.end();
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a bundle's messages are opened with the operator's key, and recorded first; only if asked for", async () => {
  const directory = await Deno.makeTempDir();
  const sql = connect();
  try {
    const sender = newSender();
    const { message_sid } = await accepted(sender, MUNICIPALITIES.mbombela.gbvNumber, {
      body: "He hit me again",
      files: [await sampleFile("burst-pipe.jpg")],
    });
    await settled(message_sid, 1);
    const { id, tracking_number: ticket } = await ticketOf(message_sid);
    const opened = () =>
      sql`select user_id, details from public.custody_records
          where ticket_id = ${id} and event = 'report_opened' order by recorded_at`;
    const make = async (name: string, ...options: string[]) => {
      const made = await command(
        ...["bundle", "--ticket", ticket, "--for", "Sgt Nkosi", "--out", `${directory}/${name}`] as const,
        ...options,
      );
      assertEquals(made.code, 0, made.text);
      assertEquals((await command("verify-bundle", `${directory}/${name}`)).code, 0);
      return await entry(`${directory}/${name}`, "data/messages.json");
    };
    assertEquals(await make("files.zip"), undefined);
    assertEquals((await opened()).length, 0);

    const words = await make("words.zip", "--messages");
    assertEquals(JSON.parse(words!).messages.map(({ text }: { text: string }) => text), ["He hit me again"]);
    assert(!words!.includes(sender.slice(1)), "who wrote was not asked for");
    const senders = await make("senders.zip", "--messages", "--senders");
    assertStringIncludes(JSON.parse(senders!).messages[0].sender, sender);
    const records = await opened();
    assertEquals(
      records.map(({ user_id, details }) => [user_id, details.include_sender, details.message_sids]),
      [
        [null, false, [message_sid]],
        [null, true, [message_sid]],
      ],
    );

    // of another ticket, none
    const { id: other } = await makeTicket("mbombela");
    const { error } = await service.rpc("open_bundle_messages", {
      ticket_id: other,
      message_sids: [message_sid],
      requested_by: "x",
    });
    assertEquals(error?.message, "not_found");

    // words changed, put in or left out, and every list of the bundle made anew for it
    const changed = await remade(`${directory}/words.zip`, (text) => text.replace("hit me", "met me"));
    const left = await remade(`${directory}/words.zip`, () => undefined);
    const put = await remade(`${directory}/files.zip`, () => words);
    for (const wrong of [changed, left, put]) {
      assertEquals(wrong, ["messages.json is as recorded when the bundle was made"]);
    }
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
