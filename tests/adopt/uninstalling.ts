/** Installing, filling and uninstalling a project of somebody else's. */
import type { Supabase } from "../../local/supabase.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { push, uninstall } from "./support.ts";

export async function mustPush(databaseUrl: string): Promise<void> {
  const { success, output } = await push(databaseUrl);
  assert(success, output);
}

export async function mustUninstall(project: Supabase): Promise<string> {
  const { success, output } = await uninstall(project, "--yes");
  assert(success, output);
  return output;
}

/** A file by the service, as the media worker stores one; its record and its custody follow from it. */
export async function storeFile({ env }: Supabase, bucket: string, tenant: string): Promise<string> {
  const path = `${tenant}/${crypto.randomUUID()}/photo.jpg`;
  const { status } = await storage(env, "POST", bucket, path, new Uint8Array([0xff, 0xd8, 0xff, 0xe0, 1]));
  assertEquals(status, 200);
  return path;
}

export async function storage(
  env: Record<string, string>,
  method: string,
  bucket: string,
  path: string,
  body?: BodyInit,
): Promise<{ status: number; text: string }> {
  const response = await fetch(`${env.SUPABASE_URL}/storage/v1/object/${bucket}/${path}`, {
    method,
    headers: {
      apikey: env.SUPABASE_SECRET_KEY!,
      authorization: `Bearer ${env.SUPABASE_SECRET_KEY}`,
      "content-type": "image/jpeg",
    },
    body,
  });
  return { status: response.status, text: await response.text() };
}
