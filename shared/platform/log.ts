/** One line of the structured log. Never a body, a number, a token, a filename or a URL. */
export interface LogLine {
  function: string;
  request_id: string;
  /** Outcome: `ok` or an error's code. */
  code: string;
  [field: string]: string | number | boolean | undefined;
}

/** Writes one line of JSON, where Supabase's log explorer finds it. */
export function log(line: LogLine): void {
  const write = line.code === "ok" ? console.info : console.error;
  write(JSON.stringify(line));
}

/** What the log may know of an error: its class, code and place, not its message (which may quote input). */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const code = (error as { code?: unknown }).code;
  const place = error.stack?.split("\n").find((line) => line.trimStart().startsWith("at "))?.trim();
  return [error.name, typeof code === "string" ? code : undefined, place].filter(Boolean).join(" ");
}
