import postgres from "postgres";
import { json } from "../json.ts";

/**
 * An answer other than success. Storage sends nearly all of them as HTTP 400 with the true code in the body;
 * only 500 (and the few that say so) show it as the HTTP status too.
 */
export class StorageError extends Error {
  constructor(
    readonly statusCode: number,
    readonly code: string,
    message: string,
    readonly error: string = code,
    readonly httpStatus: number = statusCode === 500 ? 500 : 400,
  ) {
    super(message);
  }

  toResponse(): Response {
    const { statusCode, error, message, code } = this;
    return json({ statusCode: String(statusCode), error, message, code }, {
      status: this.httpStatus,
    });
  }
}

export const noSuchBucket = () =>
  new StorageError(404, "NoSuchBucket", "Bucket not found", "Bucket not found");
export const noSuchKey = () => new StorageError(404, "NoSuchKey", "Object not found", "not_found");
export const keyAlreadyExists = () =>
  new StorageError(409, "KeyAlreadyExists", "The resource already exists", "Duplicate");
export const bucketAlreadyExists = () =>
  new StorageError(409, "BucketAlreadyExists", "The resource already exists", "Duplicate");
export const bucketNotEmpty = () =>
  new StorageError(409, "ResourceNotEmpty", "The bucket you tried to delete is not empty");
export const accessDenied = (message: string) =>
  new StorageError(403, "AccessDenied", message, "Unauthorized");
export const invalidKey = (key: string) => new StorageError(400, "InvalidKey", `Invalid key: ${key}`);
export const invalidBucketName = () =>
  new StorageError(400, "InvalidBucketName", "Bucket name invalid", "Invalid Input");
export const invalidMimeType = (type: string) =>
  new StorageError(415, "InvalidMimeType", `mime type ${type} is not supported`, "invalid_mime_type");
export const invalidJwt = (message: string) => new StorageError(400, "InvalidJWT", message);
export const invalidSignature = (message = "Invalid signature") =>
  new StorageError(400, "InvalidSignature", message);
export const invalidRange = () =>
  new StorageError(416, "InvalidRange", "invalid range provided", "invalid_range", 416);
export const noContentProvided = (message = "No content provided") =>
  new StorageError(400, "InvalidRequest", message);
export const entityTooLarge = (entity = "object") =>
  new StorageError(
    413,
    "EntityTooLarge",
    `The ${entity} exceeded the maximum allowed size`,
    "Payload too large",
  );
/** A request that does not fit the route's schema: `headers must have required property 'authorization'`. */
export const invalidRequest = (message: string) => new StorageError(400, "InvalidRequest", message, "Error");
/** Fastify's own answer, in its own shape. */
export const noSuchRoute = (method: string, path: string) =>
  json({ message: `Route ${method}:${path} not found`, error: "Not Found", statusCode: 404 }, {
    status: 404,
  });

/** Any failure as the StorageError a client sees; of a database error only 42501 shows its message. */
export function toStorageError(failure: unknown): StorageError {
  if (failure instanceof StorageError) return failure;
  if (failure instanceof postgres.PostgresError) return fromDatabase(failure);
  return new StorageError(
    500,
    "InternalError",
    failure instanceof Error ? failure.message : "Internal server error",
  );
}

function fromDatabase(failure: postgres.PostgresError): StorageError {
  switch (failure.code) {
    case "42501":
      return accessDenied(
        failure.message.includes("row-level security")
          ? "new row violates row-level security policy"
          : failure.message,
      );
    case "23505":
      return new StorageError(409, "ResourceAlreadyExists", "The resource already exists", "Duplicate");
    case "23503":
      return new StorageError(404, "InvalidRequest", "The related resource does not exist");
    case "55P03":
      return new StorageError(423, "ResourceLocked", "The resource is locked");
    case "57014":
      return new StorageError(
        544,
        "DatabaseTimeout",
        "The connection to the database timed out",
        undefined,
        544,
      );
    case "22P02":
      return new StorageError(400, "InvalidParameter", failure.message);
    case "42703":
    case "42P01":
      return new StorageError(
        503,
        "DatabaseSchemaMismatch",
        "The database schema is out of sync. Please run migrations or contact support.",
      );
    default:
      return new StorageError(500, "DatabaseError", `database error, code: ${failure.code}`);
  }
}
