/** What the commands for people and numbers share: a change and its record in one transaction, and whose change it is. */
import { hostname, userInfo } from "node:os";
import postgres from "postgres";
import { connectDatabase, databaseAnswers, databaseUrl } from "./database.ts";
import { type OperatorEnvironment, operatorEnvironment, printable, UsageError } from "./project.ts";

/** Every role there is. All but `citizen` are staff. */
export const ROLES = ["citizen", "field_worker", "ward_councillor", "manager", "admin", "saps_liaison"];

/** The options of both commands. */
export const OPTIONS = {
  municipality: { type: "string" },
  by: { type: "string" },
  "dry-run": { type: "boolean", default: false },
  "env-file": { type: "string" },
} as const;

export interface Municipality {
  id: string;
  slug: string;
  name: string;
}

/** A project's people or numbers, and who changes them. */
export class Registry {
  private constructor(
    readonly environment: OperatorEnvironment,
    private readonly sql: postgres.Sql,
    private readonly operator: string,
    readonly dryRun: boolean,
  ) {}

  /** Runs a command's work with one, and closes it. */
  static async open<T>(
    options: { by?: string; "dry-run": boolean; "env-file"?: string },
    work: (registry: Registry) => Promise<T>,
  ): Promise<T> {
    const operator = options.by ?? login();
    refuseUnprintable("--by", operator, 200);
    const environment = operatorEnvironment(options["env-file"]);
    const sql = connectDatabase(databaseUrl(environment), { prepare: false }); // the pooler keeps no prepared statements
    try {
      await databaseAnswers(sql);
      return await work(new Registry(environment, sql, operator, options["dry-run"]));
    } finally {
      await sql.end({ timeout: 5 });
    }
  }

  /** What `work` would give, refusals by the database included. Changes nothing: its transaction is rolled back. */
  async tried<T>(work: (tx: postgres.TransactionSql) => Promise<T>): Promise<T> {
    return await this.transaction(work, false);
  }

  /** Does `work` in one transaction; in a dry run only tries it. */
  async change<T>(work: (tx: postgres.TransactionSql) => Promise<T>): Promise<T> {
    return await this.transaction(work, !this.dryRun);
  }

  private async transaction<T>(
    work: (tx: postgres.TransactionSql) => Promise<T>,
    forGood: boolean,
  ): Promise<T> {
    const undone = new Error("rolled back");
    let result: T;
    try {
      await this.sql.begin(async (tx) => {
        await tx`set local lock_timeout = '10s'`;
        result = await work(tx);
        if (forGood) return;
        await tx`set constraints all immediate`;
        throw undone;
      });
    } catch (error) {
      if (error !== undone) throw explained(error);
    }
    return result!;
  }

  /** Records a change in the custody log, in the transaction that makes it. Details hold no name and no address. */
  async record(
    tx: postgres.TransactionSql,
    municipality: string,
    event: "person_changed" | "number_added" | "number_removed" | "municipality_added",
    details: Record<string, postgres.JSONValue>,
  ): Promise<void> {
    await tx`select private.record_operator_event(
      ${municipality}, ${event}, ${tx.json(details)}, ${this.operator}::text || ', as ' || session_user
    )`;
  }

  /** Says what changed, or would; `next` only if it did. */
  conclude(change: string, next: string[] = []): number {
    const lines = this.dryRun
      ? [`would change  ${change}`, "nothing was changed. The same without --dry-run does it"]
      : [`changed  ${change}`, "recorded in the custody log", ...next];
    for (const line of lines) console.log(line);
    return 0;
  }
}

/** The municipality of that slug. Throws UsageError where there is none. */
export async function municipalityOf(tx: postgres.TransactionSql, slug: string): Promise<Municipality> {
  const [row] = await tx<
    Municipality[]
  >`select id, slug, name from public.municipalities where slug = ${slug}`;
  if (row) return row;
  const others = await tx<{ slug: string }[]>`select slug from public.municipalities order by slug limit 20`;
  throw new UsageError(
    `There is no municipality ${word(slug)}. ${
      others.length ? `There is: ${others.map(({ slug }) => word(slug)).join(", ")}.` : "There is none yet."
    } A new one: npm run numbers -- municipality add SLUG --name "…"`,
  );
}

/** Text of somebody else's within a line: it can neither begin a new one nor move the cursor. */
export function word(text: string): string {
  return printable(text).replaceAll("\n", "\\u{a}").replaceAll("\t", "\\u{9}");
}

/** Throws UsageError for text that would not be shown as it is. */
export function refuseUnprintable(option: string, text: string, longest: number): void {
  if (!text.trim() || text.length > longest || word(text) !== text || !text.isWellFormed()) {
    throw new UsageError(
      `${option} must be 1 to ${longest} characters, without line breaks, tabs or marks that are not seen.`,
    );
  }
}

/** Rows as columns, each as wide as its widest word. */
export function columns(rows: string[][]): string[] {
  const widths = rows[0]?.map((_, at) => Math.max(...rows.map((row) => row[at]!.length))) ?? [];
  return rows.map((row) => row.map((text, at) => text.padEnd(widths[at]!)).join("  ").trimEnd());
}

/** Who runs this, as this machine says: nothing proves it. */
function login(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    return `somebody@${hostname()}`; // an account without a name, as in a container
  }
}

function explained(error: unknown): unknown {
  if (!(error instanceof postgres.PostgresError)) return error;
  switch (error.code) {
    case "42P01": // no such table, function, schema
    case "42883":
    case "3F000":
      return new UsageError(
        "The project lacks something of this version's migrations: npm run deploy first. Nothing was changed.",
      );
    case "42501":
      return new UsageError(
        `The database's user may not do this (${error.message}): SUPABASE_DB_URL must be that of postgres. Nothing was changed.`,
      );
    case "55P03":
      return new UsageError("Somebody else is changing the same just now. Nothing was changed; try again.");
    default:
      return error;
  }
}
