// RFC 3161 tokens made by OpenSSL, of every kind that is checked, and what was done to them.
import { checkTimeStamp } from "../../shared/bundle/time-stamp.ts";
import { assert, assertEquals } from "../support/assert.ts";

const TEXT = "evidence.example/log\n12\nroot\n";

async function openssl(directory: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args, cwd: directory, stdout: "null" })
    .output();
  if (!success) throw new Error(`openssl ${args.join(" ")}\n${new TextDecoder().decode(stderr)}`);
}

/** An authority with such a key, in a directory of its own; `note` there is the text. */
async function withAuthority<T>(
  key: string[],
  digest: string,
  use: (run: Run, directory: string) => Promise<T>,
): Promise<T> {
  const directory = await Deno.makeTempDir();
  try {
    const run: Run = (line, ...more) => openssl(directory, ...line.split(" "), ...more);
    const write = (name: string, text: string) => Deno.writeTextFile(`${directory}/${name}`, text);
    await write(
      "tsa.cnf",
      `[tsa]\ndefault_tsa = own\n[own]\nserial = serial\nsigner_digest = ${digest}\ndefault_policy = 1.2.3\ndigests = sha256, sha384, sha512\n`,
    );
    await write("serial", "01\n");
    await write("ext.cnf", "extendedKeyUsage=critical,timeStamping\n");
    await write("note", TEXT);
    await run("req -x509 -nodes -keyout ca.key -out ca.pem -subj /CN=Root", ...key);
    await run("req -nodes -keyout tsa.key -out tsa.csr -subj /CN=Stamper", ...key);
    await run("x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -out tsa.pem -extfile ext.cnf");
    await run(`ts -query -data note -${digest} -cert -out query`);
    await run(
      "ts -reply -config tsa.cnf -queryfile query -signer tsa.pem -inkey tsa.key -chain ca.pem -token_out -out token",
    );
    await run("ts -verify -data note -in token -token_in -CAfile ca.pem");
    return await use(run, directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** `openssl` with these words, and others that may hold spaces. */
type Run = (line: string, ...more: string[]) => Promise<void>;

const read = async (directory: string, name: string) => base64(await Deno.readFile(`${directory}/${name}`));

/** A token of the text, in base64. */
const tokenBy = (key: string[], digest: string) =>
  withAuthority(key, digest, (_, directory) => read(directory, "token"));

const base64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));
const ec = (curve: string) => ["-newkey", "ec", "-pkeyopt", `ec_paramgen_curve:${curve}`];
const KINDS: [name: string, key: string[], digest: string][] = [
  ["RSA, SHA-256", ["-newkey", "rsa:2048"], "sha256"],
  ["RSA, SHA-512", ["-newkey", "rsa:3072"], "sha512"],
  ["P-256, SHA-256", ec("P-256"), "sha256"],
  ["P-384, SHA-384", ec("P-384"), "sha384"],
];

for (const [name, key, digest] of KINDS) {
  Deno.test(`${name}: a stamp is good for its text, says who signed and when, and for no other text`, async () => {
    const token = await tokenBy(key, digest);
    const { good, signer, issuer, stampedAt, fingerprint } = await checkTimeStamp(token, TEXT);
    assertEquals([good, signer, issuer], [true, "Stamper", "Root"]);
    assert(Math.abs(Date.parse(stampedAt!) - Date.now()) < 60_000, stampedAt);
    assert(/^[0-9a-f]{64}$/.test(fingerprint!));
    assertEquals((await checkTimeStamp(token, `${TEXT} `)).good, false);
  });
}

Deno.test("a stamp with one bit turned is not good, or says what it said before", async () => {
  const token = await tokenBy(ec("P-256"), "sha256");
  const bytes = Uint8Array.from(atob(token), (char) => char.charCodeAt(0));
  const { stampedAt, fingerprint } = await checkTimeStamp(token, TEXT);
  const passed = [];
  for (let at = 0; at < bytes.length; at++) {
    const turned = bytes.slice();
    turned[at]! ^= 1;
    const found = await checkTimeStamp(base64(turned), TEXT);
    // What nobody signs: how the parts are put together, and a root's certificate that came along.
    if (found.good && (found.stampedAt !== stampedAt || found.fingerprint !== fingerprint)) passed.push(at);
  }
  assertEquals(passed, [], "it says something else, and passes");
});

Deno.test("a good signature is no stamp by a certificate that is not for stamping, has expired, or is not named in it, nor one of two signers or of other content", async () => {
  await withAuthority(["-newkey", "rsa:2048"], "sha256", async (run, directory) => {
    await run("cms -verify -noverify -inform DER -in token -out content"); // what the stamper signed
    await run("x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -out plain.pem");
    await run("x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -out two.pem -extfile ext.cnf");
    await run("x509 -req -days -1 -in tsa.csr -CA ca.pem -CAkey ca.key -out old.pem -extfile ext.cnf");
    const signedBy = async (certificate: string, ...more: string[]) => {
      const of = more.includes("-econtent_type") ? [] : ["-econtent_type", "1.2.840.113549.1.9.16.1.4"];
      await run(
        "cms -sign -binary -nodetach -in content -outform DER -out made -inkey tsa.key",
        ...["-signer", certificate, ...of, ...more],
      );
      return (await checkTimeStamp(await read(directory, "made"), TEXT)).good;
    };
    assertEquals(await signedBy("tsa.pem", "-cades"), true); // as the stamper makes it
    assertEquals(await signedBy("plain.pem", "-cades"), false);
    assertEquals(await signedBy("old.pem", "-cades"), false);
    assertEquals(await signedBy("tsa.pem"), false);
    assertEquals(await signedBy("tsa.pem", "-cades", "-signer", "two.pem", "-inkey", "tsa.key"), false); // two signers
    assertEquals(await signedBy("tsa.pem", "-cades", "-econtent_type", "1.2.840.113549.1.7.1"), false); // of data
  });
});

Deno.test("what is no stamp, or is made of two, is not good", async () => {
  const one = atob(await tokenBy(["-newkey", "rsa:2048"], "sha256"));
  const other = atob(await tokenBy(["-newkey", "rsa:2048"], "sha256"));
  const half = Math.floor(one.length / 2);
  for (const wrong of [btoa(one.slice(0, half) + other.slice(half)), btoa("no stamp"), "", "\u{1F4A9}"]) {
    assertEquals((await checkTimeStamp(wrong, TEXT)).good, false);
  }
});
