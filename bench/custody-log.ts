/**
 * The custody log: whether writers of one municipality wait for each other, how fast records are sealed, and whether a
 * certificate costs more in a large log. BENCH_RECORDS=3000000 builds a log of a metro's size first (some minutes).
 */
import postgres from "postgres";
import { type File, storeFiles } from "./harness/files.ts";
import type { BenchContext, Suite } from "./harness/types.ts";

const WRITERS = 16;
const EACH = 100;
const SMALL = 1000;
const LARGE = Number(Deno.env.get("BENCH_RECORDS") ?? 100_000);
/** Records a second that a prototype sealed beside other load. */
const PROTOTYPE = 3200;

export const suite: Suite = {
  name: "custody-log",
  about: "recording, sealing and certifying in the custody log",
  localOnly: "It leaves records in the custody log, which nobody can remove.",
  stack: { functions: false },

  async prepare(bench) {
    const many = await Promise.all(
      Array.from({ length: WRITERS }, (_, n) => municipality(bench, `writer-${n}`)),
    );
    const connections = Array.from(
      { length: WRITERS },
      () => postgres(bench.dbUrl, { max: 1, onnotice: () => {} }),
    );
    const writing = (tenants: string[]) => async () => {
      const started = performance.now();
      await Promise.all(connections.map(async (sql, writer) => {
        for (let n = 0; n < EACH; n++) {
          await sql`select private.record_system_event(${tenants[
            writer % tenants.length
          ]!}, 'url_signed', '{}', gen_random_uuid())`;
        }
      }));
      return perSecond(WRITERS * EACH, started);
    };
    const sealed = await municipality(bench, "sealed");
    const [small, large] = [await log(bench, SMALL), await log(bench, LARGE)];
    return {
      comparisons: [
        {
          name: `records by ${WRITERS} writers: one municipality over ${WRITERS}`,
          unit: "records/s",
          ours: { label: "one municipality", measure: writing(many.slice(0, 1)) },
          against: { label: `${WRITERS} municipalities`, measure: writing(many) },
          goal: { atLeast: 0.8 },
          seconds: 20,
        },
        {
          name: "records sealed",
          unit: "records/s",
          ours: {
            label: "this bundle",
            async measure() {
              await record(bench, sealed, 5000);
              const started = performance.now();
              await bench.sql`select private.seal_custody(${sealed})`;
              return perSecond(5000, started);
            },
          },
          against: { label: "a prototype", measure: () => Promise.resolve(PROTOTYPE) },
          goal: { atLeast: 1 },
          seconds: 20,
        },
        {
          name: `a certificate in a log of ${LARGE} records over one of ${SMALL}`,
          unit: "ms",
          ours: { label: `${LARGE} records`, measure: () => certificate(bench, large) },
          against: { label: `${SMALL} records`, measure: () => certificate(bench, small) },
          goal: { atMost: 1.5 },
          seconds: 10,
        },
        {
          name: `a proof in a log of ${LARGE} records over one of ${SMALL}`,
          unit: "bytes",
          ours: { label: `${LARGE} records`, measure: () => proofBytes(bench, large) },
          against: { label: `${SMALL} records`, measure: () => proofBytes(bench, small) },
          seconds: 5,
        },
      ],
      growths: [],
      async close() {
        for (const sql of connections) await sql.end();
      },
    };
  },
};

const perSecond = (count: number, started: number) => count / ((performance.now() - started) / 1000);

async function municipality(bench: BenchContext, slug: string): Promise<string> {
  const id = crypto.randomUUID();
  await bench.sql`insert into public.municipalities (id, slug, name) values (${id}, ${slug}, ${slug})`;
  return id;
}

/** Records that name no file, with a hash of their id alone: what sealing and proofs cost does not depend on it. */
async function record(bench: BenchContext, tenant: string, count: number): Promise<void> {
  await bench.sql`
    insert into public.custody_records (id, tenant_id, file_id, event, recorded_at, details, hash)
    select id, ${tenant}, gen_random_uuid(), 'url_signed', clock_timestamp(), '{}', encode(sha256(uuid_send(id)), 'hex')
    from (select private.new_record_id() as id from generate_series(1, ${count}::int)) made`;
}

interface Log {
  tenant: string;
  file: File;
}

async function log(bench: BenchContext, count: number): Promise<Log> {
  const tenant = await municipality(bench, `log-${count}`);
  const [file] = await storeFiles(bench, "gbv-evidence", 1, tenant) as [File];
  for (let left = count; left > 0; left -= 50_000) await record(bench, tenant, Math.min(left, 50_000));
  for (;;) {
    const [row] = await bench.sql`select private.seal_custody(${tenant}, null, 20000) as n`;
    if (row!.n === 0) return { tenant, file };
  }
}

/** Median of twenty, each in a transaction that is undone: the log stays as large as it is. */
async function certificate(bench: BenchContext, { tenant, file }: Log): Promise<number> {
  const claims = JSON.stringify({
    sub: crypto.randomUUID(),
    role: "authenticated",
    app_metadata: { tenant_id: tenant, role: "saps_liaison" },
  });
  const times: number[] = [];
  const undo = new Error("undo");
  for (let n = 0; n < 20; n++) {
    await bench.sql.begin(async (tx) => {
      await tx`select set_config('role', 'authenticated', true), set_config('request.jwt.claims', ${claims}, true)`;
      const started = performance.now();
      await tx`select public.custody_certificate(${file.file_id})`;
      times.push(performance.now() - started);
      throw undo;
    }).catch((error) => {
      if (error !== undo) throw error;
    });
  }
  return times.sort((a, b) => a - b)[10]!;
}

async function proofBytes(bench: BenchContext, { file }: Log): Promise<number> {
  const [row] = await bench.sql`select length(public.custody_proof(${file.file_id})::text) as bytes`;
  return row!.bytes;
}
