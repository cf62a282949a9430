/** The Supabase CLI, as a deploy uses it. */
import { isLoopback } from "../database.ts";
import { UsageError } from "../project.ts";
import type { Digests } from "./settings.ts";

const root = new URL("../..", import.meta.url).pathname;

/** The CLI for one project. What it writes is shown only when it fails, without the given values. */
export class SupabaseCli {
  constructor(
    private readonly ref: string,
    private readonly token: string,
    private readonly hidden: string[],
  ) {}

  /** SHA-256 of each secret's value, in hex. */
  async secretDigests(): Promise<Digests> {
    const text = await this.#run(["secrets", "list", "--output", "json"], this.ref);
    const secrets = JSON.parse(text) as { name: string; value: string }[];
    return Object.fromEntries(secrets.map(({ name, value }) => [name, value]));
  }

  async setSecrets(file: string): Promise<void> {
    await this.#run(["secrets", "set", "--env-file", file], this.ref);
  }

  /** Applies the migrations that the database does not have. Returns how many. */
  async pushMigrations(databaseUrl: string): Promise<number> {
    const url = new URL(databaseUrl);
    const env: Record<string, string> = { PGPASSWORD: decodeURIComponent(url.password) };
    url.password = ""; // other users of this machine see arguments
    // by itself the CLI would go on without TLS where that fails
    if (!isLoopback(url.hostname)) env.PGSSLMODE = "require";
    const text = await this.#run(["db", "push"], url.href, env);
    return text.match(/Applying migration/g)?.length ?? 0;
  }

  /** Deploys the functions below the directory, without Docker. All go live together. */
  async deployFunctions(directory: string): Promise<void> {
    await this.#run(["functions", "deploy", "--use-api"], this.ref, {}, directory);
  }

  async #run(
    args: string[],
    remote: string,
    env: Record<string, string> = {},
    workdir = root,
  ): Promise<string> {
    const { success, stdout, stderr } = await new Deno.Command(`${root}node_modules/.bin/supabase`, {
      args: [...args, `--remote=${remote}`, "--yes", "--workdir", workdir],
      env: { ...env, SUPABASE_ACCESS_TOKEN: this.token, SUPABASE_TELEMETRY_DISABLED: "1", NO_COLOR: "1" },
      stdin: "null",
    }).output();
    const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    if (success) return args[0] === "db" ? out! + err! : out!;
    const said = this.hidden.reduce((text, value) => text.replaceAll(value, "***"), `${out}${err}`.trim());
    throw new UsageError(
      `supabase ${args.slice(0, 2).join(" ")} failed, and says:\n\n${said.replaceAll(/^/gm, "    ")}\n\n` +
        "Completed steps are kept. Fix this, then run the same command again.",
    );
  }
}
