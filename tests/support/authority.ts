/** A time stamp authority by RFC 3161, of OpenSSL, with a certificate authority of its own. */
export interface Authority {
  url: string;
  /** How it answers from now on. */
  mood: "well" | "refuses" | "500" | "nonsense" | "of another request" | "hangs";
  /** Whether OpenSSL says that the token stamps these bytes. */
  verify(token: string, data: string): Promise<boolean>;
  stop(): Promise<void>;
}

async function openssl(directory: string, ...args: string[]): Promise<boolean> {
  const { success } = await new Deno.Command("openssl", {
    args,
    cwd: directory,
    stdout: "null",
    stderr: "null",
  })
    .output();
  return success;
}

async function must(directory: string, ...args: string[]): Promise<void> {
  if (!await openssl(directory, ...args)) throw new Error(`openssl ${args.join(" ")}`);
}

export async function startAuthority(): Promise<Authority> {
  const directory = await Deno.makeTempDir();
  await Deno.writeTextFile(
    `${directory}/tsa.cnf`,
    `[tsa]
default_tsa = own
[own]
dir = ${directory}
serial = ${directory}/serial
crypto_device = builtin
signer_cert = ${directory}/tsa.pem
certs = ${directory}/ca.pem
signer_key = ${directory}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
`,
  );
  await Deno.writeTextFile(`${directory}/serial`, "01\n");
  await Deno.writeTextFile(
    `${directory}/ext.cnf`,
    "extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n",
  );
  const new_ = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  await must(
    directory,
    ...["req", "-x509", ...new_, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Test CA"],
  );
  await must(
    directory,
    ...["req", ...new_, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Test TSA"],
  );
  await must(
    directory,
    ...["x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"],
    ...["-out", "tsa.pem", "-days", "2", "-extfile", "ext.cnf"],
  );

  let count = 0;
  let first: Uint8Array<ArrayBuffer> | undefined;
  const controller = new AbortController();
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {}, signal: controller.signal },
    async (request) => {
      const query = await request.bytes();
      first ??= query;
      switch (authority.mood) {
        case "500":
          return new Response("no", { status: 500 });
        case "nonsense":
          return new Response("this is no stamp");
        case "hangs":
          await new Promise((resolve) => setTimeout(resolve, 12_000));
          return new Response("late");
      }
      const name = String(count++);
      const refused = authority.mood === "refuses";
      const asked = authority.mood === "of another request" ? first : query;
      await Deno.writeFile(`${directory}/${name}.tsq`, refused ? new Uint8Array([0x30, 0]) : asked);
      await must(
        directory,
        ...["ts", "-reply", "-config", "tsa.cnf", "-queryfile", `${name}.tsq`, "-out", `${name}.tsr`],
      );
      return new Response(await Deno.readFile(`${directory}/${name}.tsr`), {
        headers: { "content-type": "application/timestamp-reply" },
      });
    },
  );
  const authority: Authority = {
    url: `http://127.0.0.1:${server.addr.port}/`,
    mood: "well",
    async verify(token, data) {
      await Deno.writeFile(`${directory}/token`, Uint8Array.fromBase64(token));
      await Deno.writeTextFile(`${directory}/data`, data);
      return await openssl(
        directory,
        ...["ts", "-verify", "-data", "data", "-in", "token", "-token_in", "-CAfile", "ca.pem"],
      );
    },
    async stop() {
      controller.abort();
      await server.finished.catch(() => {});
      await Deno.remove(directory, { recursive: true });
    },
  };
  return authority;
}
