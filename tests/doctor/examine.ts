/** Runs the doctor, on a stack that tests have to themselves. */
import { examineDatabase } from "../../operate/doctor.ts";
import type { Line, Problem } from "../../operate/doctor/findings.ts";
import type { EncryptionKeys } from "../../operate/doctor/sealed.ts";
import { REQUIRED_SECRETS } from "../../shared/platform/settings.ts";
import { assert, assertEquals, assertNotMatch } from "../support/assert.ts";
import type { OwnStack } from "../support/own-stack.ts";

const root = new URL("../..", import.meta.url).pathname;

export interface Report {
  code: number;
  output: string;
  lines: Line[];
}

export function problemsIn(lines: Line[]): Problem[] {
  return lines.flatMap(({ problem }) => problem ?? []);
}

/** Whether it is a statement to run as it stands. (There is no extension to make here.) */
export function isSql(todo: string | undefined): todo is string {
  return /^(alter|create|do|drop|grant|revoke|select cron)\b(?! extension)/i.test(todo ?? "");
}

/** The doctor as an operator runs it on this stack, and its checks of the database alone. */
export function doctorTools({ supabase, superuser }: OwnStack) {
  const { url, env } = supabase;
  const encryption = { current: env.ENCRYPTION_KEY_CURRENT };

  /** Runs the doctor as an operator does. */
  async function doctor(
    changes: Record<string, string | undefined> = {},
    { args = [], preload }: { args?: string[]; preload?: string } = {},
  ): Promise<Report> {
    const given = Object.entries({ ...env, ...changes, NO_COLOR: "1" }).filter(([, value]) =>
      value !== undefined
    );
    const { code, stdout, stderr } = await new Deno.Command(`${root}node_modules/deno-newest/deno`, {
      args: [
        ...["run", "-A", "--no-check", ...preload ? ["--preload", preload] : []],
        ...["operate/doctor.ts", "--json", ...args],
      ],
      cwd: root,
      clearEnv: true,
      env: { PATH: Deno.env.get("PATH")!, HOME: Deno.env.get("HOME")!, ...Object.fromEntries(given) },
    }).output();
    const output = new TextDecoder().decode(stdout);
    assertEquals(new TextDecoder().decode(stderr), "", output);
    assertDiscreet(output);
    return { code, output, lines: output ? JSON.parse(output).lines : [] };
  }

  /** Whatever is found, no key, number or address of the database is printed. */
  function assertDiscreet(output: string): void {
    for (
      const name of [
        "SUPABASE_SECRET_KEY",
        "SUPABASE_DB_URL",
        ...REQUIRED_SECRETS.filter((name) => !/URL|ORIGINS/.test(name)),
      ]
    ) {
      assert(!output.includes(env[name]!), `${name} is in the report`);
    }
    assertNotMatch(output, /\+27|photo\.jpg|postgres(ql)?:\/\/|eyJ/);
  }

  /**
   * Runs the database's checks after some statements, and again after `mend`, run as an operator may, which is no superuser.
   * Then all is taken back.
   */
  async function after(
    statements: string[],
    mend: (lines: Line[]) => string[] = () => [],
    keys: EncryptionKeys = encryption,
  ): Promise<Line[] & { mended?: Line[] }> {
    let lines: Line[] & { mended?: Line[] } = [];
    class Undo extends Error {}
    await superuser.begin(async (sql) => {
      for (const statement of statements) await sql.unsafe(statement);
      await sql`set local session_replication_role = default`;
      lines = await examineDatabase(sql, url, keys);
      const means = mend(lines);
      if (means.length > 0) {
        await sql`set local role postgres`;
        for (const statement of means) await sql.unsafe(statement);
        await sql`reset role`;
        lines.mended = await examineDatabase(sql, url, encryption);
      }
      throw new Undo();
    }).catch((error) => {
      if (!(error instanceof Undo)) throw error;
    });
    return lines;
  }

  /** Moves with every transaction that writes anything. */
  async function lastWrite(): Promise<string> {
    const [row] = await superuser`select pg_snapshot_xmax(pg_current_snapshot())::text as xmax`;
    return row!.xmax;
  }

  return { encryption, doctor, assertDiscreet, after, lastWrite };
}
