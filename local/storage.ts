import type { Context, Handler } from "./types.ts";
import {
  createBucket,
  deleteBucket,
  emptyBucket,
  getBucket,
  listBuckets,
  updateBucket,
} from "./storage/buckets.ts";
import { invalidRequest, noSuchRoute, toStorageError } from "./storage/errors.ts";
import { Files } from "./storage/files.ts";
import * as objects from "./storage/objects.ts";
import { Body, Call, type Service } from "./storage/request.ts";
import { resumable } from "./storage/resumable.ts";
import { describe, readableObject, serve, signedObject } from "./storage/serve.ts";
import { Signer } from "./storage/tokens.ts";
import { upload } from "./storage/upload.ts";
import { json } from "./json.ts";

/** Who may call a route at all: a verified token, anyone, or whoever holds a signed URL. */
type Access = "token" | "optional" | "open";

interface Route {
  method: string;
  /** `{bucket}` is one segment, `{key}` is the rest of the path. */
  path: string;
  operation: string;
  access: Access;
  run(call: Call): Promise<Response>;
}

/** The first that fits is taken. Names of operations are the server's, the two without prefix included. */
const ROUTES: Route[] = [
  route("POST /bucket", "storage.bucket.create", "token", createBucket),
  route("GET /bucket", "storage.bucket.list", "token", listBuckets),
  route("POST /bucket/{bucket}/empty", "storage.bucket.empty", "token", emptyBucket),
  route("GET /bucket/{bucket}", "storage.bucket.get", "token", getBucket),
  route("PUT /bucket/{bucket}", "storage.bucket.update", "token", updateBucket),
  route("DELETE /bucket/{bucket}", "storage.bucket.delete", "token", deleteBucket),

  route("POST /object/copy", "storage.object.copy", "token", objects.copy),
  route("POST /object/move", "storage.object.move", "token", objects.move),
  route("POST /object/list/{bucket}", "storage.object.list", "token", objects.list),
  route("POST /object/list-v2/{bucket}", "storage.object.list_v2", "token", objects.listV2),
  route("POST /object/sign/{bucket}/{key}", "storage.object.sign", "token", objects.sign),
  route("POST /object/sign/{bucket}", "storage.object.sign_many", "token", objects.signMany),
  route(
    "POST /object/upload/sign/{bucket}/{key}",
    "storage.object.sign_upload_url",
    "token",
    objects.signUpload,
  ),
  route("PUT /object/upload/sign/{bucket}/{key}", "storage.object.upload_signed", "open", uploadSigned),
  read("/object/sign/{bucket}/{key}", "storage.object.get_signed", "open", async (call) => {
    const { object, expires } = await signedObject(call);
    return await serve(call, object, expires);
  }),
  read(
    "/object/info/public/{bucket}/{key}",
    "storage.object.info_public",
    "open",
    async (call) => describe(await readableObject(call, true)),
  ),
  read(
    "/object/info/authenticated/{bucket}/{key}",
    "object.get_authenticated_info",
    "token",
    async (call) => describe(await readableObject(call)),
  ),
  read(
    "/object/info/{bucket}/{key}",
    "object.get_authenticated_info",
    "optional",
    async (call) => describe(await readableObject(call)),
  ),
  read(
    "/object/public/{bucket}/{key}",
    "storage.object.get_public",
    "open",
    async (call) => await serve(call, await readableObject(call, true)),
  ),
  ...["/object/authenticated/{bucket}/{key}", "/object/{bucket}/{key}"].flatMap((path) => {
    const access = path.startsWith("/object/authenticated/") ? "token" : "optional";
    const get = async (call: Call) => await serve(call, await readableObject(call));
    return [
      route(`HEAD ${path}`, "object.head_authenticated_info", access, get),
      route(`GET ${path}`, "storage.object.get_authenticated", access, get),
    ];
  }),
  route(
    "POST /object/{bucket}/{key}",
    "storage.object.upload",
    "token",
    (call) => uploadAs(call, call.upsert),
  ),
  route(
    "PUT /object/{bucket}/{key}",
    "storage.object.upload_update",
    "token",
    (call) => uploadAs(call, true),
  ),
  route("DELETE /object/{bucket}/{key}", "storage.object.delete", "token", objects.remove),
  route("DELETE /object/{bucket}", "storage.object.delete_many", "token", objects.removeMany),

  ...tus("/upload/resumable/sign", "_signed", true),
  ...tus("/upload/resumable", "", false),
];

/** The Storage service under `/storage/v1`. */
export async function makeStorage(context: Context): Promise<Handler> {
  const service: Service = {
    context,
    sql: context.connect("supabase_storage_admin"),
    files: await Files.in(`${context.directory}/storage`),
    signer: new Signer(),
  };
  return async (request) => {
    const body = new Body(request.body);
    const response = await dispatch(service, request, body).catch((failure) => {
      const error = toStorageError(failure);
      if (failure !== error && error.code === "InternalError") console.error("storage:", failure);
      return error.toResponse();
    });
    if (!response.ok) await body.drain();
    return response;
  };
}

async function dispatch(service: Service, request: Request, body: Body): Promise<Response> {
  const url = new URL(request.url);
  const path = url.pathname.replace(/^\/storage\/v1/, "");
  for (const { method, pattern, route } of COMPILED) {
    const match = method === request.method ? pattern.exec(path) : null;
    if (!match) continue;
    const { bucket = "", key = "" } = match.groups ?? {};
    const call = new Call(service, request, body, url, path, route.operation, decode(bucket), decode(key));
    if (route.access !== "open") await call.authenticate(route.access === "optional");
    else if (route.operation.endsWith("_signed")) call.claims = { role: "service_role" };
    return await route.run(call);
  }
  return noSuchRoute(request.method, path + url.search);
}

async function uploadAs(call: Call, upsert: boolean): Promise<Response> {
  const { bucket, key, owner } = call;
  return json(await upload(call, { bucket, key, owner, upsert }));
}

/** The token's owner uploads as the service role: limits hold, policies do not. */
async function uploadSigned(call: Call): Promise<Response> {
  const { bucket, key } = call;
  const { owner, upsert } = await call.service.signer.verify(
    call.query("token"),
    `${bucket}/${key}`,
    "upload",
  );
  const { Key } = await upload(call, { bucket, key, owner, upsert: upsert ?? false });
  return json({ Key });
}

function route(methodAndPath: string, operation: string, access: Access, run: Route["run"]): Route {
  const [method = "", path = ""] = methodAndPath.split(" ");
  return { method, path, operation, access, run };
}

function read(path: string, operation: string, access: Access, run: Route["run"]): Route {
  return route(`GET ${path}`, operation, access, run);
}

function tus(path: string, suffix: string, signed: boolean): Route[] {
  const access = signed ? "open" : "token";
  const run = (call: Call) => resumable(call, signed);
  return [
    route(`OPTIONS ${path}`, `storage.tus.options${suffix}`, "open", run),
    route(`OPTIONS ${path}/{key}`, `storage.tus.options${suffix}`, "open", run),
    route(`POST ${path}`, `storage.tus.upload.create${suffix}`, access, run),
    route(`PATCH ${path}/{key}`, `storage.tus.upload.part${suffix}`, access, run),
    route(`HEAD ${path}/{key}`, `storage.tus.upload.get${suffix}`, access, run),
  ];
}

const COMPILED = ROUTES.flatMap((route) => {
  const source = route.path.replace("{bucket}", "(?<bucket>[^/]+)").replace("{key}", "(?<key>.+)");
  const pattern = new RegExp(`^${source}/?$`);
  // Only a signed URL's GET answers HEAD as well by itself; the others have routes of their own.
  const methods = route.method === "GET" ? ["GET", "HEAD"] : [route.method];
  return methods.map((method) => ({ method, pattern, route }));
});

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw invalidRequest(`'${segment}' is not a valid url component`);
  }
}
