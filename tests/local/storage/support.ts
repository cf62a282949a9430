/**
 * Storage as hosted Supabase has it, the traps that the real server showed included: black-box tests, on buckets, users,
 * policies and triggers of their own, that also run against a real project given by the same variables.
 */
import postgres from "postgres";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { assertEquals } from "../../support/assert.ts";

export const env = (name: string) => {
  const value = Deno.env.get(name);
  if (!value) throw new Error(`${name} is not set: run this with the stand-in up`);
  return value;
};
export const url = env("SUPABASE_URL");
export const publishable = env("SUPABASE_PUBLISHABLE_KEY");
export const secret = env("SUPABASE_SECRET_KEY");
export const storage = `${url}/storage/v1`;
export const clientOptions = { auth: { persistSession: false, autoRefreshToken: false } };
export const service = createClient(url, secret, clientOptions);
export const bytes = (text: string) => new TextEncoder().encode(text);

export interface User {
  id: string;
  token: string;
  client: SupabaseClient;
}

export interface Scene {
  db: postgres.Sql;
  /** A bucket of this test's own. */
  bucket: string;
  alice: User;
  /** Makes a policy on storage.objects for this bucket. */
  allow(command: "insert" | "select" | "update" | "delete" | "all", condition?: string): Promise<void>;
  /** Makes a row trigger on this bucket's rows whose function has this body; returns its schema for helpers. */
  trigger(when: string, body: string): Promise<void>;
  /** Schema for helpers of triggers. */
  schema: string;
  objects(): Promise<postgres.Row[]>;
}

let alice: Promise<User> | undefined;

/** The user of every fact, made once a file. */
export function theUser(): Promise<User> {
  return alice ??= makeUser("alice");
}

export async function makeUser(name: string): Promise<User> {
  const email = `${name}-${crypto.randomUUID()}@storage.test`;
  const password = crypto.randomUUID();
  const created = await service.auth.admin.createUser({ email, password, email_confirm: true });
  if (created.error) throw created.error;
  const client = createClient(url, publishable, clientOptions);
  const { data, error } = await client.auth.signInWithPassword({ email, password });
  if (error) throw error;
  return { id: created.data.user.id, token: data.session.access_token, client };
}

/** Removes the user that the facts were tried with, after a file's tests. */
export function useAlice(): void {
  Deno.test.afterAll(async () => {
    if (alice) await service.auth.admin.deleteUser((await alice).id);
    alice = undefined;
  });
}

/** One fact: a bucket with these settings, made before and removed after. */
export function fact(
  name: string,
  options: { fileSizeLimit?: number; allowedMimeTypes?: string[]; public?: boolean },
  check: (scene: Scene) => Promise<void>,
) {
  Deno.test({ name, sanitizeOps: false, sanitizeResources: false }, async () => {
    const id = crypto.randomUUID().slice(0, 8);
    const bucket = `scratch-${id}`;
    const schema = `scratch_${id}`;
    const db = postgres(env("SUPABASE_DB_URL"), { max: 2, onnotice: () => {} });
    const undo: string[] = [];
    try {
      const made = await service.storage.createBucket(bucket, { public: false, ...options });
      if (made.error) throw made.error;
      await db`create schema ${db(schema)}`;
      await check({
        db,
        bucket,
        schema,
        alice: await theUser(),
        async allow(command, condition = "true") {
          const policy = `${bucket} ${command} ${undo.length}`;
          const test = `bucket_id = '${bucket}' and (${condition})`;
          const clause = command === "insert" ? `with check (${test})` : `using (${test})`;
          await db.unsafe(
            `create policy "${policy}" on storage.objects for ${command} to authenticated ${clause}`,
          );
          undo.push(`drop policy "${policy}" on storage.objects`);
        },
        async trigger(when, body) {
          const trigger = `${schema}_${undo.length}`;
          await db.unsafe(`
            create function ${schema}.${trigger}() returns trigger language plpgsql security definer
            set search_path = '' as $body$ begin ${body} return new; end $body$`);
          const constraint = /deferr/i.test(when) ? "constraint" : "";
          const [timing, deferral = ""] = when.split(" deferred");
          await db.unsafe(`
            create ${constraint} trigger ${trigger} ${timing} on storage.objects
            ${constraint && "deferrable initially deferred"} ${deferral}
            for each row when (new.bucket_id = '${bucket}') execute function ${schema}.${trigger}()`);
          undo.push(`drop trigger ${trigger} on storage.objects`);
        },
        objects: async () =>
          Array.from(
            await db<postgres.Row[]>`select * from storage.objects where bucket_id = ${bucket} order by name`,
          ),
      });
    } finally {
      for (const statement of undo) await db.unsafe(statement);
      await db`drop schema ${db(schema)} cascade`;
      await db.end();
      await service.storage.emptyBucket(bucket);
      await service.storage.deleteBucket(bucket);
    }
  });
}

/** Plain HTTP as a user, with the new-form key where hosted wants it. */
export function send(path: string, user: User | null, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set("apikey", publishable);
  if (user) headers.set("authorization", `Bearer ${user.token}`);
  return fetch(`${storage}${path}`, { ...init, headers });
}

export async function assertRefused(response: Response, expected: Record<string, string>, status = 400) {
  const body = await response.json();
  assertEquals({ status: response.status, ...body }, { status, ...expected });
}

export const RLS = {
  statusCode: "403",
  error: "Unauthorized",
  message: "new row violates row-level security policy",
  code: "AccessDenied",
};
export const DUPLICATE = {
  statusCode: "409",
  error: "Duplicate",
  message: "The resource already exists",
  code: "KeyAlreadyExists",
};
export const NOT_FOUND = {
  statusCode: "404",
  error: "not_found",
  message: "Object not found",
  code: "NoSuchKey",
};
export const TOO_LARGE = {
  statusCode: "413",
  error: "Payload too large",
  message: "The object exceeded the maximum allowed size",
  code: "EntityTooLarge",
};

export const base64 = (text: string) => btoa(text);

export function tusCreate(
  path: string,
  s: Scene,
  key: string,
  length: number,
  user: User | null,
  headers: Record<string, string> = {},
  contentType?: string,
): Promise<Response> {
  const metadata = [
    `bucketName ${base64(s.bucket)}`,
    `objectName ${base64(key)}`,
    `cacheControl ${base64("60")}`,
    ...(contentType ? [`contentType ${base64(contentType)}`] : []),
  ].join(",");
  return send(path, user, {
    method: "POST",
    headers: {
      "tus-resumable": "1.0.0",
      "upload-length": String(length),
      "upload-metadata": metadata,
      ...headers,
    },
  });
}

export function tusPatch(
  location: string,
  text: string,
  offset: number,
  user: User | null,
  headers: Record<string, string> = {},
): Promise<Response> {
  return send(location.slice(location.indexOf("/upload/resumable")), user, {
    method: "PATCH",
    body: bytes(text),
    headers: {
      "tus-resumable": "1.0.0",
      "upload-offset": String(offset),
      "content-type": "application/offset+octet-stream",
      ...headers,
    },
  });
}
