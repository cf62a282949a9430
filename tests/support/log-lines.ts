/** The functions' log as docs/logs.md says it is: what a line may hold, and nothing else. */
import * as z from "zod";
import { CODES, REASONS } from "../../shared/failures.ts";

const RequestId = z.guid();
const Count = z.int().nonnegative();
/** A variable's name, one of our SQL functions, Twilio's or Storage's status. */
const Detail = z.string().regex(/^[A-Za-z0-9_ -]{1,80}$/);
/** An error's class, code and place in the code. */
const Cause = z.string().regex(/^\w+( \w+)?( at [^?]+:\d+:\d+\)?)?$/).refine((text) => !/https?:/.test(text));

export const RequestLine = z.strictObject({
  function: z.enum(["upload-url", "signed-url", "open-report", "twilio-media", "media-worker"]),
  request_id: RequestId,
  code: z.enum(["ok", ...Object.keys(CODES)]),
  status: z.int(),
  ms: Count,
  bytes: Count.optional(),
  files: Count.optional(),
  refused: Count.optional(),
  media: Count.optional(),
  messages: Count.optional(),
  duplicate: z.boolean().optional(),
  detail: Detail.optional(),
  cause: Cause.optional(),
});

export const JobLine = z.strictObject({
  function: z.enum(["twilio-media", "media-worker"]),
  request_id: RequestId,
  file_id: z.guid(),
  job: z.enum([
    "transfer",
    "hash",
    "move",
    "delete_old",
    "given_up",
    "left_to_worker",
    "remove_twilio_copy",
    "note_failure",
  ]),
  code: z.enum(["ok", ...Object.keys(REASONS)]),
  ms: Count.optional(),
  bytes: Count.optional(),
  final: z.boolean().optional(),
  cause: Cause.optional(),
}).refine(({ job, ms }) => ms !== undefined || job === "note_failure", "a job's line has its milliseconds")
  .refine(
    ({ job, code, bytes }) => (code === "ok" && job !== "delete_old") === (bytes !== undefined),
    "bytes",
  );

/** A round of the media worker, when it has ended. */
export const RoundLine = z.strictObject({
  function: z.literal("media-worker"),
  request_id: RequestId,
  job: z.literal("round"),
  code: z.enum(["ok", ...Object.keys(CODES)]),
  ms: Count,
  done: Count.optional(),
  failed: Count.optional(),
  cause: Cause.optional(),
}).refine(
  ({ code, done }) => (code === "ok") === (done !== undefined),
  "a round that ended says what it did",
);

/** A batch of tokens that was sealed anew. */
export const ResealLine = z.strictObject({
  function: z.literal("media-worker"),
  request_id: RequestId,
  job: z.literal("reseal"),
  code: z.literal("ok"),
  tokens: Count,
  unopened: Count,
  ms: Count,
});

export type LogLine =
  | z.infer<typeof RequestLine>
  | z.infer<typeof JobLine>
  | z.infer<typeof RoundLine>
  | z.infer<typeof ResealLine>;

/** Each line as it is meant; throws at one that is not. */
export function parseLog(text: string): LogLine[] {
  return text.split("\n").filter((line) => line.startsWith("{")).map((line) => {
    const fields = JSON.parse(line);
    if (!("job" in fields)) return RequestLine.parse(fields);
    const sort = { round: RoundLine, reseal: ResealLine }[fields.job as string] ?? JobLine;
    return sort.parse(fields);
  });
}
