/**
 * What an uninstall does, step by step, read from the project: of what the migrations make (doctor/catalogue.json) it
 * removes what is there, but for evidence, what proves it, and what hides it. Nobody reads more after it than before.
 */
import type postgres from "postgres";
import { ADOPTION, type Facts, identifier, literal, ourObjects, readFacts, TICKETS } from "./facts.ts";
import { hideMessages, hideObjects, hideTickets, HIDING } from "./hide.ts";

export interface Step {
  /** `keep` changes nothing; `hide` and `remove` run their statements in this order. */
  action: "hide" | "remove" | "keep";
  what: string;
  /** Why something stays. */
  why?: string;
  statements: string[];
}

export interface Plan {
  steps: Step[];
  /** Our buckets that hold nothing: they are removed through the Storage API, SQL may not. */
  emptyBuckets: string[];
}

/** The migrations make these with `or replace`: they keep records from being changed, and find it where they were. */
const PROOF = [
  "private.refuse_change()",
  "private.custody_hash(public.custody_records)",
  "private.recorded_file(uuid)",
  "private.first_tampered(uuid)",
  "public.verify_custody(uuid,bigint,text)",
];
const guards = ({ definition }: { definition: string }) =>
  PROOF.some((proof) => definition.includes(`EXECUTE FUNCTION ${proof}`));

/** Reads the project and plans; changes nothing. For the plan to hold, the caller has locked what it reads. */
export async function planUninstall(sql: postgres.TransactionSql): Promise<Plan> {
  const ours = await ourObjects(sql);
  const facts = await readFacts(sql, ours);
  const steps: Step[] = [];
  const add = (action: Step["action"], what: string, statements: string[] = [], why?: string) =>
    steps.push({ action, what, statements, why });

  for (const name of facts.hidden) {
    add("remove", `what an earlier uninstall left on ${name}`, [
      `drop policy ${identifier(HIDING)} on ${name}`,
    ]);
  }
  // First what hides, then what hid until now; it is one transaction, and nobody sees the time between.
  if (facts.sensitiveTickets) {
    add("hide", "sensitive tickets", hideTickets(), "they stay hidden from everybody but the service role");
  }
  if (facts.fullBuckets.length) {
    add(
      "hide",
      `the files in ${facts.fullBuckets.join(", ")}`,
      hideObjects(facts.fullBuckets),
      "nobody reads, adds, changes or deletes them but the service role, which only reads",
    );
  }
  if (facts.messages) {
    add(
      "hide",
      "messages sent to municipality: topics",
      hideMessages(),
      "Realtime replays them for three days",
    );
  }

  if (facts.job) add("remove", "the cron job media-worker", ["select cron.unschedule('media-worker')"]);
  if (facts.vaultSecrets.length) {
    add("remove", `the Vault secrets ${facts.vaultSecrets.join(", ")}`, [
      `delete from vault.secrets where name in (${facts.vaultSecrets.map(literal).join(", ")})`,
    ]);
  }
  for (const { parent, name } of ours.policies) {
    add("remove", `policy ${identifier(name)} on ${parent}`, [
      `drop policy ${identifier(name)} on ${parent}`,
    ]);
  }
  for (const { parent, name, definition } of ours.triggers) {
    if (facts.kept.has(parent) && guards({ definition })) {
      add("keep", `trigger ${name} on ${parent}`, [], "keeps evidence as it is");
    } else if (parent === "storage.objects" && facts.fullBuckets.length) {
      continue; // hideObjects has put another in its place
    } else {
      add("remove", `trigger ${name} on ${parent}`, [`drop trigger ${identifier(name)} on ${parent}`]);
    }
  }
  for (const view of ours.views) add("remove", `view ${view}`, [`drop view ${view}`]);
  if (facts.ourDefault) {
    add("remove", "the default of tickets.tracking_number", [
      `alter table ${TICKETS} alter column tracking_number drop default`,
    ]);
  }
  const proof = ours.functions.filter((name) =>
    PROOF.includes(name) &&
    (name.startsWith("private.refuse_change")
      ? facts.fullBuckets.length > 0 ||
        ours.triggers.some((trigger) => facts.kept.has(trigger.parent) && guards(trigger))
      // it verifies records against files: it needs both tables
      : facts.kept.has("public.custody_records") && facts.kept.has("public.media_attachments"))
  );
  for (const name of ours.functions) {
    if (proof.includes(name)) {
      add(
        "keep",
        `function ${name}`,
        [`revoke execute on function ${name} from public, anon, authenticated`],
        name.startsWith("private.refuse_change")
          ? "keeps evidence as it is"
          : "verifies the chain of custody",
      );
    } else add("remove", `function ${name}`, [`drop function ${name}`]);
  }
  for (const name of ours.types) add("remove", `type ${name}`, [`drop type ${name}`]);

  const keepsAnything = facts.kept.size > 0 || facts.keptColumns.length > 0 || facts.fullBuckets.length > 0 ||
    facts.sensitiveTickets;
  const dropped = ours.tables.filter((name) =>
    !facts.kept.has(name) && (name !== TICKETS || facts.ownTickets) && (name !== ADOPTION || !keepsAnything)
  );
  const drop = (names: string[]) => {
    if (names.length) add("remove", `tables ${names.join(", ")}`, [`drop table ${names.join(", ")}`]);
  };
  // an adopted table refers to municipalities, and files refer to it: its index and columns go in between
  const last = dropped.filter((name) => !facts.ownTickets && name === "public.municipalities");
  drop(dropped.filter((name) => !last.includes(name)));
  for (const { parent, name, backs } of facts.indexes) {
    if (backs) add("keep", `index ${name} on ${parent}`, [], "evidence refers to tickets by it");
    else add("remove", `index ${name} on ${parent}`, [`drop index public.${identifier(name)}`]);
  }
  planTickets(facts, add);
  drop(last);
  for (const name of facts.kept) {
    if (name === TICKETS && !facts.ownTickets) continue;
    add(
      "keep",
      `table ${name}`,
      [`revoke all on ${name} from public, anon, authenticated`],
      "evidence, or what evidence refers to; row-level security is on and no policy lets anybody in",
    );
  }
  if (keepsAnything && ours.tables.includes(ADOPTION)) {
    add("keep", `table ${ADOPTION}`, [], "tells a later installation what is ours");
  }

  planSchema(facts, keepsAnything, add);
  if (facts.versions.length) {
    add("remove", `${facts.versions.length} entries of the CLI's list of migrations`, [
      `delete from supabase_migrations.schema_migrations where version in (${
        facts.versions.map(literal).join(", ")
      })`,
    ]);
  }
  for (const bucket of facts.fullBuckets) add("keep", `bucket ${bucket}`, [], "it holds files");
  return { steps, emptyBuckets: facts.emptyBuckets };
}

type Add = (action: Step["action"], what: string, statements?: string[], why?: string) => void;

/** An adopted table gets back what it was, but for columns that hold something. */
function planTickets(facts: Facts, add: Add): void {
  if (facts.ownTickets) return;
  for (const { column, privilege, grantee } of facts.grants) {
    add("remove", `the right of ${grantee} to ${privilege} tickets.${column}`, [
      `revoke ${privilege} (${identifier(column)}) on ${TICKETS} from ${identifier(grantee)}`,
    ]);
  }
  for (const { column, statistics } of facts.statistics) {
    if (facts.sensitiveTickets) {
      add(
        "keep",
        `tickets.${column} without statistics`,
        [],
        "they would tell how many sensitive tickets there are",
      );
    } else {
      add("remove", `"no statistics" of tickets.${column}`, [
        `alter table ${TICKETS} alter column ${identifier(column)} set statistics ${statistics}`,
      ]);
    }
  }
  for (const column of facts.keptColumns) {
    add("keep", `column tickets.${column}`, [], "tickets have something in it");
  }
  for (const column of facts.droppedColumns) {
    add("remove", `column tickets.${column}`, [`alter table ${TICKETS} drop column ${identifier(column)}`]);
  }
  add("keep", "row-level security of tickets", [], "never switched off; your own policies hold");
}

function planSchema(facts: Facts, keepsAnything: boolean, add: Add): void {
  if (facts.schema === "absent") return;
  const revoke = facts.usage.map((grantee) => `revoke usage on schema private from ${identifier(grantee)}`);
  if (facts.schema === "theirs") {
    if (revoke.length) add("remove", `the use of schema private by ${facts.usage.join(", ")}`, revoke);
  } else if (keepsAnything || facts.strangers.length) {
    add(
      "keep",
      "schema private",
      revoke.filter((statement) => !statement.endsWith('"service_role"')),
      facts.strangers.length
        ? `it holds objects of yours: ${facts.strangers.join(", ")}`
        : "holds what is kept",
    );
  } else add("remove", "schema private", ["drop schema private"]);
}
