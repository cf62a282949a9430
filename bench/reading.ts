/**
 * Signing files under row-level security when there are many, by the Storage API and by signed-url with a field worker's token.
 * Three stand-ins with 10,000, 100,000 and 1,000,000 files of 40 municipalities, a fifth of them in `documents`. (Lists are in
 * the suite `scale`.)
 */
import type postgres from "postgres";
import { startSupabase, type Supabase } from "../local/supabase.ts";
import { loadFiles } from "./harness/database.ts";
import { quantile } from "./harness/statistics.ts";
import type { BenchContext, Prepared, Side, Suite } from "./harness/types.ts";

const FILES: [number, number, number] = [10_000, 100_000, 1_000_000];
const SMALLEST = FILES[0];
const LARGEST = FILES[2];
/** Of the files that one stand-in has, those in `documents`. */
const DOCUMENTS = 0.2;
const REQUESTS = 100;

export const suite: Suite = {
  name: "reading",
  about: "a URL signed under row-level security, by how many files there are",
  localOnly: "It loads a million rows as a superuser.",
  prepare,
};

/** One stand-in with its files. */
interface Filled {
  supabase: Supabase;
  token: string;
  /** Of the field worker's municipality, up to 500. */
  evidence: StoredFile[];
}

interface StoredFile {
  file_id: string;
  path: string;
}

async function prepare({ supabase, progress }: BenchContext): Promise<Prepared> {
  const others: Supabase[] = [];
  const close = async () => {
    await Promise.all(others.map((other) => other.stop()));
  };
  try {
    const filled = new Map<number, Filled>();
    for (const size of FILES) {
      const begun = performance.now();
      if (size !== LARGEST) others.push(await startSupabase(size === SMALLEST ? {} : { functions: false }));
      filled.set(size, await fill(size === LARGEST ? supabase! : others.at(-1)!, size));
      progress(`${size} files loaded in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
    }
    return { ...plan((size) => filled.get(size)!), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function plan(withFiles: (size: number) => Filled): Omit<Prepared, "close"> {
  const [small, large] = [withFiles(SMALLEST), withFiles(LARGEST)];
  const signing = (label: string, of: Filled, sign: typeof signByStorage): Side => ({
    label,
    measure: () => sign(of),
  });
  return {
    comparisons: [
      {
        name: "reading under RLS: sign one of 1,000,000 files by the Storage API",
        unit: "ms, p50",
        ours: signing("1,000,000 files", large, signByStorage),
        against: signing("10,000 files", small, signByStorage),
        goal: { atMost: 1.3 },
        rounds: 9,
        seconds: 15,
      },
      {
        name: "reading under RLS: sign one of 1,000,000 files by signed-url",
        unit: "ms, p50",
        ours: signing("1,000,000 files", large, signByFunction),
        against: signing("10,000 files", small, signByFunction),
        seconds: 20,
      },
    ],
    growths: [
      {
        name: "reading under RLS: sign one, by files",
        unit: "ms, p50",
        sizes: FILES,
        of: "files",
        measure: (size) => signByStorage(withFiles(size)),
        seconds: 10,
      },
    ],
  };
}

async function fill(supabase: Supabase, size: number): Promise<Filled> {
  const superuser = supabase.connect("supabase_admin");
  const documents = size * DOCUMENTS;
  await loadFiles(superuser, { documents, evidence: size - documents });
  const [counted] = await superuser<{ objects: number; records: number }[]>`
    select (select count(*)::integer from storage.objects) as objects,
      (select count(*)::integer from public.media_attachments) as records`;
  if (counted!.objects !== size || counted!.records !== size) {
    throw new Error(`${size} files were to be loaded; there are ${JSON.stringify(counted)}`);
  }
  const [worker] = await superuser<{ id: string; claims: postgres.JSONValue; tenant: string }[]>`
    select id, raw_app_meta_data as claims, raw_app_meta_data ->> 'tenant_id' as tenant
    from auth.users where email = 'field_worker@mbombela.test'`;
  const { id: sub, claims, tenant } = worker!;
  const token = await supabase.keys.sign(
    { sub, aud: "authenticated", role: "authenticated", app_metadata: claims },
    3600,
  );
  const evidence = await superuser<StoredFile[]>`
    select file_id, path from public.media_attachments
    where tenant_id = ${tenant} and bucket = 'evidence' order by md5(path) limit 500`;
  return { supabase, token, evidence: [...evidence] };
}

/** Milliseconds to sign one. */
function signByStorage(filled: Filled): Promise<number> {
  return medianOfRequests(async () => {
    const { path } = pick(filled.evidence);
    const answer = await post(filled, `/storage/v1/object/sign/evidence/${path}`, { expiresIn: 3600 });
    return (answer as { signedURL?: string }).signedURL;
  });
}

function signByFunction(filled: Filled): Promise<number> {
  return medianOfRequests(async () => {
    const { file_id } = pick(filled.evidence);
    return (await post(filled, "/functions/v1/signed-url", { file_id }) as { signed_url?: string })
      .signed_url;
  });
}

/** Milliseconds of one request, the median of some, one after the other. */
async function medianOfRequests(request: () => Promise<string | undefined>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < REQUESTS; i++) {
    const begun = performance.now();
    if (!await request()) throw new Error("No URL was signed");
    times.push(performance.now() - begun);
  }
  return quantile(times, 0.5);
}

async function post({ supabase, token }: Filled, path: string, body: unknown): Promise<unknown> {
  const response = await fetch(supabase.url + path, {
    method: "POST",
    headers: {
      apikey: supabase.keys.publishable,
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
    },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${JSON.stringify(answer)}`);
  return answer;
}

function pick<T>(from: T[]): T {
  return from[Math.floor(Math.random() * from.length)]!;
}
