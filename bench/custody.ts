/** What the record costs that is written before each URL of GBV evidence exists. */
import { type HttpRequest, startAsker } from "./harness/client.ts";
import { type File, headers, loadOffice, removeFiles, storeFiles } from "./harness/files.ts";
import type { BenchContext, Growth, Suite } from "./harness/types.ts";

const CALLS = 100;
const CHAINS: Growth["sizes"] = [100, 1000, 10_000];

export const suite: Suite = {
  name: "custody",
  about: "a signed URL of GBV evidence, with its record, over one of an ordinary file, without",
  localOnly: "Each URL of GBV evidence leaves a record in the custody log, which nobody can remove.",
  stack: { functions: { config: new URL("config.toml", import.meta.url).pathname } },

  async prepare(bench) {
    await loadOffice(bench.supabase);
    const asker = startAsker(bench.supabase?.mark);
    const [gbv] = await storeFiles(bench, "gbv-evidence", 1) as [File];
    const [ordinary] = await storeFiles(bench, "evidence", 1) as [File];
    const token = await bench.token("saps_liaison");
    const side = (label: string, file: File) => ({
      label,
      measure: () => asker.p50(signed(bench, file, token), CALLS),
    });

    return {
      comparisons: [{
        name: "signed URL of GBV evidence, with its record, over an ordinary file's: p50",
        unit: "ms",
        ours: side("GBV evidence", gbv),
        against: side("ordinary file", ordinary),
        goal: { atMost: 1.3 },
        seconds: 12,
      }],
      growths: [await growth(bench, (request) => asker.p50(request, CALLS))],
      async close() {
        await asker.close();
        await removeFiles(bench, gbv.bucket, [gbv.path]);
        await removeFiles(bench, ordinary.bucket, [ordinary.path]);
      },
    };
  },
};

function signed(bench: BenchContext, { bucket, path }: File, token: string): HttpRequest {
  return {
    url: `${bench.url}/functions/v1/signed-url`,
    headers: headers(bench.publishableKey, token),
    body: JSON.stringify({ bucket, path }),
  };
}

/** Three municipalities with a log of each size, all of it about the one file that is read: the worst case. */
async function growth(bench: BenchContext, p50: (request: HttpRequest) => Promise<number>): Promise<Growth> {
  const requests = new Map<number, HttpRequest>();
  for (const length of CHAINS) {
    const tenant = crypto.randomUUID();
    await bench
      .sql`insert into public.municipalities (id, slug, name) values (${tenant}, ${`chain-${length}`}, ${`${length} records`})`;
    const [file] = await storeFiles(bench, "gbv-evidence", 1, tenant) as [File];
    await bench.sql`
      select count(private.record_system_event(${tenant}, 'url_signed', '{"expires_in": 300}', ${file.file_id}))
      from generate_series(1, ${length}::int)`;
    const token = await bench.supabase!.keys.sign({
      sub: crypto.randomUUID(),
      aud: "authenticated",
      role: "authenticated",
      app_metadata: { tenant_id: tenant, role: "saps_liaison" },
    }, 3600);
    requests.set(length, signed(bench, file, token));
  }
  return {
    name: "signed URL of GBV evidence: p50",
    unit: "ms",
    of: "records in the log",
    sizes: CHAINS,
    measure: (length) => p50(requests.get(length)!),
    seconds: 12,
  };
}
