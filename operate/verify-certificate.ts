// Whether a certificate, and the file in hand, are what they say, offline: npm run verify-certificate -- CERTIFICATE.json
// Exit status: 0 all of it holds, 1 something does not, 2 it could not be read.
import { type Certificate, verifyCertificate } from "../shared/evidence/proof.ts";
import { checkTimeStamp } from "../shared/bundle/time-stamp.ts";
import { describeStamp } from "../shared/bundle/verify.ts";
import { digest } from "../shared/storage/hash.ts";
import { readOptions, runCommand, UsageError } from "./project.ts";

const USAGE =
  `npm run verify-certificate -- [--file FILE] [--key KEY] CERTIFICATE.json    (asks nobody: no project, no network.
--file: the copy in hand. --key: the public key in base64, got from elsewhere than the certificate)`;

await runCommand(async (args) => {
  const { values, positionals } = readOptions(
    USAGE,
    args,
    { file: { type: "string" }, key: { type: "string" } },
    true,
  );
  const [path, ...more] = positionals;
  if (path === undefined || more.length > 0) throw new UsageError(USAGE);
  const sha256 = values.file === undefined ? undefined : await hashOf(values.file);
  const certificate = await read(path);
  let bad = 0;
  const stamps: string[] = [];
  try {
    const checks = await verifyCertificate(certificate, { sha256, publicKey: values.key });
    const { note = "", timestamps = [] } = certificate.checkpoint ?? {};
    for (const { authority, token } of timestamps) {
      const stamp = await checkTimeStamp(token, note);
      stamps.push(describeStamp(stamp));
      checks.push({
        what: `the stamp of ${authority} is of this checkpoint, and signed as it says`,
        good: stamp.good !== false,
      });
    }
    for (const { what, good } of checks) {
      console.log(`${good ? "ok    " : "WRONG "} ${what}`);
      if (!good) bad++;
    }
  } catch {
    throw new UsageError(`${path} is not a certificate, or is incomplete\n${USAGE}`);
  }
  for (const line of [...stamps, ...notProved(certificate, values)]) console.log(`       ${line}`);
  return bad === 0 ? 0 : 1;
});

/** What whoever relies on it must know. */
function notProved({ checkpoint }: Certificate, given: { file?: string; key?: string }): string[] {
  return [
    ...given.file === undefined ? ["Not checked: the file itself (--file FILE)."] : [],
    ...!checkpoint
      ? ["Not proved: when. The certificate has no signed checkpoint; issue it again in a few minutes."]
      : [
        ...given.key === undefined ? ["Not checked: whose key signed the checkpoint (--key KEY)."] : [],
        ...checkpoint.timestamps.length === 0
          ? ["Not proved: that the checkpoint existed at a time that an outside authority states."]
          : [],
      ],
  ];
}

async function read(path: string): Promise<Certificate> {
  try {
    return JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${(error as Error).message}\n${USAGE}`);
  }
}

async function hashOf(path: string): Promise<string> {
  try {
    return (await digest((await Deno.open(path)).readable)).sha256;
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${(error as Error).message}\n${USAGE}`);
  }
}
