/** What an operator's commands share: the project they are for, its settings, and errors that say what to do next. */
import { parseArgs, type ParseArgsOptionsConfig, parseEnv } from "node:util";
import { PostgrestClient } from "@supabase/postgrest-js";
import { authHeaders, type Project } from "../shared/platform/project.ts";
import type { Variables } from "../shared/platform/settings.ts";

/** The file that docs/deploy.md makes. */
export const SETTINGS_FILE = ".env.production";

/** Ends a command with a message for the operator. */
export class UsageError extends Error {}

/** The settings of a command. */
export interface OperatorEnvironment extends Variables {
  /** Where they were looked for, for messages. */
  readonly sources: string;
}

/** The settings in a file, NAME=VALUE a line. Throws UsageError where it cannot be read. */
export function readSettingsFile(file: string): Record<string, string> {
  try {
    return { ...parseEnv(Deno.readTextFileSync(file)) } as Record<string, string>;
  } catch {
    throw new UsageError(
      `${file} cannot be read. docs/deploy.md shows what belongs in it. Name another file with --env-file FILE`,
    );
  }
}

/**
 * The settings as a function has them, from the given file and then the shell's environment. Without one: from the
 * environment and then, if that names no project, the SETTINGS_FILE of this directory. Throws UsageError where a file
 * cannot be read.
 */
export function operatorEnvironment(file?: string): OperatorEnvironment {
  const shell = asFunctionsHaveThem(Deno.env);
  // all of the file's before any of the shell's: they may be for different projects
  if (file !== undefined) return either(fromFile(file), shell, `${file} or the environment`);
  if (shell.get("SUPABASE_URL")) return { ...shell, sources: "the environment" };
  if (!exists(SETTINGS_FILE)) {
    return { ...shell, sources: `the environment, and ${SETTINGS_FILE} is not in this directory` };
  }
  return either(shell, fromFile(SETTINGS_FILE), `the environment or ${SETTINGS_FILE}`);
}

function fromFile(file: string): Variables {
  const settings = readSettingsFile(file);
  return asFunctionsHaveThem({ get: (name) => settings[name] });
}

function either(first: Variables, second: Variables, sources: string): OperatorEnvironment {
  return { get: (name) => first.get(name) || second.get(name), sources };
}

/** An operator has the URL under the name of the functions' secret, and one secret key. */
function asFunctionsHaveThem(settings: Variables): Variables {
  const derived: Record<string, () => string | undefined> = {
    SUPABASE_URL: () => settings.get("PUBLIC_SUPABASE_URL"),
    SUPABASE_SECRET_KEYS: () => {
      const key = settings.get("SUPABASE_SECRET_KEY");
      return key && JSON.stringify({ default: key });
    },
  };
  return { get: (name) => settings.get(name) || derived[name]?.() || undefined };
}

function exists(file: string): boolean {
  try {
    return Deno.statSync(file).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** The variable's value. Throws UsageError, saying where it was looked for and where it comes from. */
export function needed(environment: OperatorEnvironment, name: string, where: string): string {
  const value = environment.get(name);
  if (!value) throw new UsageError(`${name} is not set in ${environment.sources}: ${where}.`);
  return value;
}

/** The project with its secret key, and its tables. Throws UsageError where a setting is missing or malformed. */
export function connectProject(
  environment: OperatorEnvironment,
): { project: Project; tables: PostgrestClient } {
  const where = "Dashboard → Project Settings → API keys; or run this by `npm run local -- …`";
  const url = needed(environment, "SUPABASE_URL", where).replace(/\/+$/, "");
  if (!URL.canParse(url)) {
    throw new UsageError("SUPABASE_URL is not a URL. It looks like https://REF.supabase.co.");
  }
  needed(environment, "SUPABASE_SECRET_KEYS", where);
  const project = { url, key: secretKey(environment) };
  return { project, tables: new PostgrestClient(`${url}/rest/v1`, { headers: authHeaders(project) }) };
}

function secretKey(environment: Variables): string {
  try {
    return JSON.parse(environment.get("SUPABASE_SECRET_KEYS")!).default;
  } catch {
    throw new UsageError('SUPABASE_SECRET_KEYS is not {"default": "sb_secret_…"}: give SUPABASE_SECRET_KEY.');
  }
}

/** A command's options and, where it takes any, its other arguments. Throws UsageError for --help and what it does not know. */
export function readOptions<const Options extends ParseArgsOptionsConfig>(
  usage: string,
  args: string[],
  options: Options,
  allowPositionals = false,
) {
  if (args.includes("--help")) throw new UsageError(usage);
  try {
    return parseArgs({ args, options, allowPositionals });
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${usage}`);
  }
}

/** Asks whoever is at the terminal to type a word. Throws UsageError where they do not, or nobody is there. */
export function confirmByTyping(question: string, answer: string): void {
  if (!Deno.stdin.isTerminal()) {
    throw new UsageError(
      "There is no terminal to confirm in: add --yes to go ahead, or --dry-run to see what it would do.",
    );
  }
  if (prompt(printable(question)) !== answer) {
    throw new UsageError(`That is not ${answer}. Nothing was changed.`);
  }
}

/**
 * Text for a terminal: whoever named a file or made a bundle must not move the cursor, forge a line or turn one around.
 */
export function printable(text: string): string {
  return text.replace(
    // deno-lint-ignore no-control-regex
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (sign) => `\\u{${sign.codePointAt(0)!.toString(16)}}`,
  );
}

/** Runs a command; its errors are printed for people. Exit status: what it returns, or 2. */
export async function runCommand(command: (args: string[]) => Promise<number>): Promise<never> {
  for (const write of ["log", "error"] as const) {
    const plain = console[write];
    console[write] = (...parts: unknown[]) => plain(printable(parts.map(String).join(" ")));
  }
  try {
    Deno.exit(await command(Deno.args));
  } catch (error) {
    console.error(error instanceof UsageError ? error.message : `It did not work: ${unexpected(error)}`);
    Deno.exit(2);
  }
}

/** Messages of the runtime's own errors quote what they could not read: an address with its password, a key. */
function unexpected(error: unknown): string {
  if (error instanceof TypeError || error instanceof URIError || error instanceof SyntaxError) {
    return `${error.name}. Either a setting is malformed or the network did not answer: see docs/deploy.md for the ` +
      "settings; npm run doctor looks at the project.";
  }
  return (error as Error).message ?? String(error);
}
