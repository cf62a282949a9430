/** The database, reached through its SQL functions alone. */
import { PostgrestClient } from "@supabase/postgrest-js";
import type * as z from "zod/mini";
import type { Database } from "../database.types.ts";
import { isErrorCode } from "../failures.ts";
import { failure, ServiceError } from "./errors.ts";
import { inTime } from "./in-time.ts";
import { authHeaders, type Project } from "./project.ts";

/** Milliseconds a database call may take; Twilio waits 15 s for its answer, which takes two. */
const TIMEOUT_MS = 6_000;

type Functions = Database["public"]["Functions"];
type Name = keyof Functions;
/** A parameter with a default also takes null. */
type Args<N extends Name> = {
  [Key in keyof Functions[N]["Args"]]: Functions[N]["Args"][Key] | Absent<Functions[N]["Args"], Key>;
};
type Absent<All, Key extends keyof All> = undefined extends All[Key] ? null : never;

/** Calls SQL functions as the project's key or, made by `as`, as a user. One client serves a worker. */
export class DatabaseClient {
  private constructor(private readonly client: PostgrestClient, private readonly token?: string) {}

  static of(project: Project): DatabaseClient {
    return new DatabaseClient(
      new PostgrestClient(`${project.url}/rest/v1`, { headers: authHeaders(project) }),
    );
  }

  /** The database as the user of this token sees it. */
  as(token: string): DatabaseClient {
    return new DatabaseClient(this.client, token);
  }

  /**
   * Calls a SQL function; one call is one transaction. The answer is checked by `schema`, if given.
   *
   * Our functions raise a stable code as their message (`raise … message = 'not_found'`); it becomes that ServiceError.
   * A refusal by row-level security or a missing grant is `forbidden`; all else, an unreachable database too, `internal`.
   */
  call<N extends Name>(name: N, args: Args<N>): Promise<Functions[N]["Returns"]>;
  call<N extends Name, Schema extends z.ZodMiniType>(
    name: N,
    args: Args<N>,
    schema: Schema,
  ): Promise<z.infer<Schema>>;
  async call<N extends Name>(name: N, args: Args<N>, schema?: z.ZodMiniType): Promise<unknown> {
    const { data, error } = await inTime(TIMEOUT_MS, (signal) => {
      const request = this.client.rpc(name, args).abortSignal(signal);
      return this.token ? request.setHeader("Authorization", `Bearer ${this.token}`) : request;
    });
    if (error) throw translate(name, error);
    if (!schema) return data;
    const answer = schema.safeParse(data);
    // no cause: zod's error may quote the answer
    if (!answer.success) {
      throw failure("internal", { log: `${name} answer` });
    }
    return answer.data;
  }
}

function translate(name: string, error: { code: string; message: string; details: string }): ServiceError {
  if (isErrorCode(error.message)) {
    const details = error.details ? [{ path: "", message: error.details }] : undefined;
    return failure(error.message, { details, log: name });
  }
  if (error.code === "42501") return failure("forbidden", { log: name });
  return failure("internal", { log: `${name} ${error.code || "unreachable"}` });
}
