// The operator's way to the database: with TLS, and to an answer or an end.
import { connectDatabase, databaseAnswers } from "../../operate/database.ts";
import { UsageError } from "../../operate/project.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";

Deno.test("only this machine's database is reached without TLS; it is verified where the URL asks for that", async () => {
  const hosted = "postgresql://postgres:secret@pooler.supabase.invalid:5432/postgres";
  const ssl: [url: string, ssl: unknown][] = [
    [hosted, "require"],
    [`${hosted}?sslmode=disable`, "require"],
    [`${hosted}?sslmode=prefer`, "require"],
    [`${hosted}?sslmode=verify-full`, "verify-full"],
    ["postgresql://postgres@127.0.0.1/postgres", false],
  ];
  for (const [url, expected] of ssl) {
    const sql = connectDatabase(url);
    assertEquals(sql.options.ssl as unknown, expected, url);
    await sql.end();
  }
});

/** Accepts connections and does with each what is given. */
function server(serve: (connection: Deno.Conn) => Promise<void>): { url: string; close(): void } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.Conn>();
  (async () => {
    for await (const connection of listener) {
      open.add(connection);
      serve(connection).catch(() => {});
    }
  })();
  return {
    url: `postgresql://postgres:secret@127.0.0.1:${(listener.addr as Deno.NetAddr).port}/postgres`,
    close() {
      listener.close();
      for (const connection of open) {
        try {
          connection.close();
        } catch {
          // it has closed by itself
        }
      }
    },
  };
}

const readLogin = async (connection: Deno.Conn) => void await connection.read(new Uint8Array(1024));

for (
  const [what, serve] of [
    ["hangs up during login", async (connection) => {
      await readLogin(connection);
      connection.close();
    }],
    ["never answers a login", readLogin],
  ] satisfies [string, (connection: Deno.Conn) => Promise<void>][]
) {
  Deno.test({
    name: `a server that ${what} is an error within the deadline`,
    // the driver's timer for its next try
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      const { url, close } = server(serve);
      const sql = connectDatabase(url);
      const started = performance.now();
      try {
        const error = await assertRejects(() => databaseAnswers(sql, 500), UsageError);
        assertStringIncludes(error.message, "does not answer (");
        assert(performance.now() - started < 5000);
      } finally {
        await sql.end({ timeout: 0 });
        close();
      }
    },
  });
}
