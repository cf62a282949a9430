/** Handing out URLs of ordinary files, asked for by place, as a dashboard asks from the rows of its list. */
import { type HttpRequest, startAsker, throughput } from "./harness/client.ts";
import { type File, headers, loadOffice, removeFiles, storeFiles } from "./harness/files.ts";
import type { Comparison, Side, Suite } from "./harness/types.ts";

/** Files of a full batch (MAX_FILES of the contract). */
const BATCH = 100;
const CONNECTIONS = 32;
/** Of load, per side and round. */
const SECONDS = 2;
/** Calls one after the other, per side and round. */
const CALLS = 100;
const BATCH_CALLS = 20;

export const suite: Suite = {
  name: "signed-url",
  about: "signed URLs by this bundle, by Storage itself, and by what a user would write instead",
  stack: { functions: { config: new URL("config.toml", import.meta.url).pathname } },

  async prepare(bench) {
    const { url, publishableKey, supabase } = bench;
    await loadOffice(supabase);
    const token = await bench.token("field_worker");
    const files = await storeFiles(bench, "evidence", BATCH);
    const asker = startAsker(supabase?.mark);

    const post = (path: string, body: unknown): HttpRequest => ({
      url: `${url}${path}`,
      headers: headers(publishableKey, token),
      body: JSON.stringify(body),
    });
    const place = ({ bucket, path }: File) => ({ bucket, path });
    const paths = files.map((file) => file.path);
    const [file] = files as [File];
    const ours = (count: number) =>
      post(
        "/functions/v1/signed-url",
        count === 1 ? place(file) : { files: files.slice(0, count).map(place) },
      );
    const direct = post(`/storage/v1/object/sign/evidence/${file.path}`, { expiresIn: 3600 });
    const template = (body: unknown) => post("/functions/v1/rival-template", body);
    const perRequest = post("/functions/v1/rival-per-request-client", place(file));
    const batches = {
      ours: ours(BATCH),
      direct: post("/storage/v1/object/sign/evidence", { expiresIn: 3600, paths }),
      template: template({ bucket: "evidence", paths }),
    };

    const load = (label: string, request: HttpRequest): Side => ({
      label,
      measure: () => throughput(request, { connections: CONNECTIONS, seconds: SECONDS }, supabase?.mark),
    });
    const alone = (label: string, request: HttpRequest, calls = CALLS): Side => ({
      label,
      measure: () => asker.p50(request, calls),
    });
    // on a real project only what is deployed there
    const rivals = (measured: typeof load) =>
      supabase
        ? [measured("template", template(place(file))), measured("client per request", perRequest)]
        : [];
    const batch = (name: string, many: HttpRequest, one: HttpRequest): Comparison => ({
      name: `${BATCH} signed URLs in one call over one in one call: p50, ${name}`,
      unit: "ms",
      ours: alone(`${BATCH} files`, many, BATCH_CALLS),
      against: alone("one file", one),
      seconds: 12,
    });

    return {
      comparisons: [
        {
          name: `one signed URL: requests/s at ${CONNECTIONS} connections`,
          unit: "requests/s",
          ours: load("this bundle", ours(1)),
          against: load("Storage directly", direct),
          others: rivals(load),
          goal: { atLeast: 0.8 },
          seconds: 75,
        },
        {
          name: "one signed URL: p50 at one connection",
          unit: "ms",
          ours: alone("this bundle", ours(1)),
          against: alone("Storage directly", direct),
          others: [
            alone("this bundle, by file_id", post("/functions/v1/signed-url", { file_id: file.file_id })),
            ...rivals(alone),
          ],
          goal: { atMost: 1.7 },
          seconds: 20,
        },
        { ...batch("this bundle", batches.ours, ours(1)), goal: { atMost: 3 } },
        batch("Storage directly", batches.direct, direct),
        ...(supabase ? [batch("template", batches.template, template(place(file)))] : []),
      ],
      growths: [{
        name: "signed URLs in one call: p50",
        unit: "ms",
        of: "files",
        sizes: [1, 10, BATCH],
        measure: (count) => asker.p50(ours(count), BATCH_CALLS),
        seconds: 8,
      }],
      async close() {
        await asker.close();
        await removeFiles(bench, "evidence", paths);
      },
    };
  },
};
