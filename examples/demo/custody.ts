/** What the demo proves of a file: its certificate, and a bundle for a court. */
import { ok, person, service } from "../../tests/support/stack.ts";
import { Checks } from "./checks.ts";

interface Certificate {
  file: {
    filename: string;
    sha256: string;
    file_size: number;
    content_type: string;
    message_sid: string | null;
  };
  records: { seq: number; event: string; recorded_at: string; user_role: string | null; hash: string }[];
  log: { size: number; root: string; intact: boolean };
}

/** A ticket's files as a bundle, verified offline; with one bit flipped it is refused. */
export async function bundle(checks: Checks, fileId: string): Promise<void> {
  const { ticket_id } = await ok(
    service.from("media_attachments").select("ticket_id").eq("file_id", fileId).single(),
  );
  const { tracking_number } = await ok(
    service.from("tickets").select("tracking_number").eq("id", ticket_id).single(),
  );
  const directory = await Deno.makeTempDir();
  const zip = `${directory}/bundle.zip`;
  const command = async (name: string, ...args: string[]) => {
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-check",
        new URL(`../../operate/${name}.ts`, import.meta.url).pathname,
        ...args,
      ],
      stderr: "null",
    }).output();
    for (const line of new TextDecoder().decode(stdout).trim().split("\n")) {
      checks.say(line.replace(directory, "."));
    }
    return code;
  };
  try {
    const made = await command(
      "bundle",
      "--ticket",
      tracking_number,
      "--for",
      "the court",
      "--out",
      zip,
    );
    checks.check("the bundle is made", made === 0);
    checks.check("it verifies, without the project", await command("verify-bundle", zip) === 0);
    const bytes = await Deno.readFile(zip);
    bytes[5000]! ^= 1;
    await Deno.writeFile(zip, bytes);
    checks.check(
      "with one bit of its evidence flipped it does not",
      await command("verify-bundle", zip) === 1,
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** The certificate of a file that was sent with this hash. */
export async function certificate(checks: Checks, fileId: string, sent: string): Promise<void> {
  const { supabase } = await person("saps_liaison");
  const { file, records, log } = await ok(
    supabase.rpc("custody_certificate", { file_id: fileId }),
  ) as Certificate;
  checks.say(
    `${file.filename}, ${file.content_type}, ${file.file_size} bytes, ${
      file.message_sid ? `message ${file.message_sid}` : "an upload"
    }`,
  );
  checks.say(`SHA-256 ${file.sha256}`);
  for (const { seq, event, recorded_at, user_role, hash } of records) {
    checks.say(
      `  ${String(seq).padStart(3)}  ${recorded_at.slice(0, 23)}  ${event.padEnd(10)}  ${
        (user_role ?? "system").padEnd(12)
      }  ${hash.slice(0, 16)}…`,
    );
  }
  checks.say(`the log has ${log.size} records, its root is ${log.root.slice(0, 16)}…`);
  const events = records.map(({ event }) => event);
  // an upload is received as it is stored
  const expected = ["received", ...file.message_sid ? ["stored"] : [], "moved", "url_signed", "certified"];
  checks.check("the certificate's hash is that of the photo sent", file.sha256 === sent);
  checks.check(
    "it tells receipt, storing, move and every read, and the log is intact",
    log.intact &&
      expected.every((event) => events.includes(event)),
    events.join(),
  );
}
