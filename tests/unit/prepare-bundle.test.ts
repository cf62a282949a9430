// What must be there before a bundle's certificates are made: its record, a checkpoint that covers it, its stamps.
import { BundleRefused, type Database, prepareBundle } from "../../shared/bundle/prepare.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";

const RECORDED = { bundle_id: "b", municipality_id: "m", files: 1, log_size: 7 };

/** A database that gives these answers to each table or function in turn, the last again; and what it was asked. */
function scripted(answers: Record<string, unknown[]>): { database: Database; asked: string[] } {
  const asked: string[] = [];
  const query = (name: string) => {
    const filters: unknown[] = [];
    const chain: unknown = new Proxy({}, {
      get(_, method: string) {
        if (method !== "then") {
          return (...args: unknown[]) => {
            if (method === "gte" || (method === "eq" && args[0] === "size")) filters.push(args[1]);
            return chain;
          };
        }
        return (resolve: (answer: unknown) => void) => {
          asked.push([name, ...filters].join(" "));
          const queue = answers[name] ?? [[]];
          const data = queue.length > 1 ? queue.shift() : queue[0];
          resolve(data instanceof Error ? { data: null, error: data } : { data, error: null });
        };
      },
    });
    return chain;
  };
  return { database: { from: query, rpc: query } as unknown as Database, asked };
}

/** A clock that runs a hundred times as fast. */
function test(name: string, run: () => Promise<void>): void {
  Deno.test(name, async () => {
    const { setTimeout: wait } = globalThis;
    const { now } = Date;
    const begun = now();
    globalThis.setTimeout = ((call: () => void, ms: number) => wait(call, ms / 100)) as typeof setTimeout;
    Date.now = () => begun + (now() - begun) * 100;
    try {
      await run();
    } finally {
      globalThis.setTimeout = wait;
      Date.now = now;
    }
  });
}

test("certificates are made after a checkpoint covers the bundle's records, and after its stamps", async () => {
  const { database, asked } = scripted({
    record_custody_bundle: [RECORDED],
    custody_keys: [[{ key_id: "k" }]],
    custody_checkpoints: [[], [{ size: 9 }]],
    custody_timestamps: [[{ authority: "a" }], []],
    custody_bundle: [[{ file: {} }]],
  });
  const { certificates } = await prepareBundle(database, { ticketId: "t", requestedBy: "x" });
  assertEquals(certificates.length, 1);
  assertEquals(asked, [
    "record_custody_bundle",
    "custody_keys",
    "custody_checkpoints 7",
    "custody_checkpoints 7",
    "custody_timestamps 9",
    "custody_timestamps 9",
    "custody_bundle",
  ]);
});

test("where nobody signs it does not wait for long; a file that went meanwhile ends it, as does a refusal", async () => {
  const begun = Date.now();
  const unsigned = scripted({ record_custody_bundle: [RECORDED], custody_bundle: [[{ file: {} }]] });
  await prepareBundle(unsigned.database, { ticketId: "t", requestedBy: "x" });
  assertEquals(Date.now() - begun < 20_000, true);

  const code = async (answers: Record<string, unknown[]>) =>
    (await assertRejects(
      () => prepareBundle(scripted(answers).database, { ticketId: "t", requestedBy: "x" }),
      BundleRefused,
    )).code;
  const signed = { custody_keys: [[{}]], custody_checkpoints: [[{ size: 9 }]] };
  assertEquals(
    await code({ ...signed, record_custody_bundle: [RECORDED], custody_bundle: [[]] }),
    "not_found",
  );
  for (const message of ["forbidden", "not_found", "invalid_request"]) {
    assertEquals(await code({ record_custody_bundle: [new Error(message)] }), message);
  }
  assertEquals(await code({ record_custody_bundle: [new Error("a table's name")] }), "unreachable");
});

test("a bundle that is called off while it waits asks for nothing more", async () => {
  const { database, asked } = scripted({ record_custody_bundle: [RECORDED], custody_keys: [[{}]] });
  const called = new AbortController();
  const waiting = prepareBundle(database, {
    ticketId: "t",
    requestedBy: "x",
    signal: called.signal,
    recorded: () => void setTimeout(() => called.abort(new Error("called off")), 500),
  });
  await assertRejects(() => waiting, Error, "called off");
  assertEquals(asked.includes("custody_bundle"), false);
});
