/**
 * What an uninstall does, step by step, read from the project: of what the migrations make (doctor/catalogue.json) it
 * removes what is there, but for evidence, what proves it, and what hides it. Nobody reads more after it than before.
 */
import type postgres from "postgres";
import {
  ADOPTION,
  type Facts,
  GBV_CHECK,
  identifier,
  literal,
  ourObjects,
  type Ours,
  readFacts,
  TICKETS,
} from "./facts.ts";
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
  /** One transaction. */
  steps: Step[];
  /** Our buckets that hold nothing: they are removed through the Storage API, SQL may not. */
  emptyBuckets: string[];
  /** What a second transaction adds once those buckets are gone: what hides them stays until then. */
  thereafter: Step[];
  /** Queries that found nothing: while they do not, the plan holds. */
  unfound: string[];
}

/** The migrations make these with `or replace`: they keep records from being changed, and find it where they were. */
const PROOF = [
  "private.refuse_change()",
  "private.commitment(bytea,text)",
  "private.custody_leaf(public.custody_records)",
  "private.custody_hash(public.custody_records)",
  "private.custody_range(uuid,bigint,bigint)",
  "private.custody_root(uuid,bigint)",
  "private.custody_size(uuid)",
  "private.recorded_file(uuid)",
  "private.file_fault(public.media_attachments)",
  "private.log_faults(uuid,bigint,bigint)",
  "private.recent_fault(uuid,integer)",
  "private.first_tampered(uuid)",
  "public.verify_custody(uuid,bigint,text)",
];
const guards = ({ definition }: { definition: string }) =>
  PROOF.some((proof) => definition.includes(`EXECUTE FUNCTION ${proof}`));

/** Reads the project and plans; changes nothing. */
export async function planUninstall(sql: postgres.TransactionSql): Promise<Plan> {
  const ours = await ourObjects(sql);
  const facts = await readFacts(sql, ours);
  const steps = planSteps(ours, facts);
  const full = facts.buckets.filter(({ full }) => full);
  if (full.length === facts.buckets.length) {
    return { steps, emptyBuckets: [], thereafter: [], unfound: facts.unfound };
  }
  const hidden = [...new Set([...facts.hidden, "storage.objects"])];
  return {
    steps,
    emptyBuckets: facts.buckets.filter(({ full }) => !full).map(({ id }) => id),
    unfound: facts.unfound,
    thereafter: changesBeyond(steps, planSteps(ours, { ...facts, buckets: full, hidden })),
  };
}

/** The later steps that change something and are not among the earlier ones. */
export function changesBeyond(earlier: Step[], later: Step[]): Step[] {
  return later.filter(({ action, what }) =>
    action !== "keep" && !earlier.some((step) => step.action === action && step.what === what)
  );
}

function planSteps(ours: Ours, facts: Facts): Step[] {
  const steps: Step[] = [];
  const add = (action: Step["action"], what: string, statements: string[] = [], why?: string) =>
    steps.push({ action, what, statements, why });
  const buckets = facts.buckets.map(({ id }) => id);

  // First what hides, then what hid until now; it is one transaction, and nobody sees the time between.
  const unhidden = new Set(facts.hidden);
  const unhide = (table: string) => `drop policy ${identifier(HIDING)} on ${table}`;
  const hide = (table: string, what: string, statements: string[], why: string) => {
    add("hide", what, unhidden.delete(table) ? [unhide(table), ...statements] : statements, why);
  };
  if (facts.sensitiveTickets) {
    hide(
      TICKETS,
      "sensitive tickets",
      hideTickets(),
      "they stay hidden from everybody but the service role",
    );
  }
  if (buckets.length) {
    hide(
      "storage.objects",
      `what is in buckets ${buckets.join(", ")}`,
      hideObjects(buckets),
      "nobody reads, adds, changes or deletes a file but the service role, which only reads",
    );
  }
  if (facts.messages) {
    hide(
      "realtime.messages",
      "messages sent to municipality: topics",
      hideMessages(),
      "Realtime replays them for three days",
    );
  }
  for (const table of unhidden) {
    add(
      "remove",
      `policy ${identifier(HIDING)} on ${table}`,
      [unhide(table)],
      "nothing is left for it to hide",
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
    } else if (parent === "storage.objects" && buckets.length) {
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
      ? buckets.length > 0 ||
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
        name.startsWith("private.refuse_change") ? "keeps evidence as it is" : "verifies the custody log",
      );
    } else add("remove", `function ${name}`, [`drop function ${name}`]);
  }

  const keepsAnything = facts.kept.size > 0 || facts.keptColumns.length > 0 || buckets.length > 0 ||
    facts.sensitiveTickets;
  const dropped = ours.tables.filter((name) =>
    !facts.kept.has(name) && (name !== TICKETS || facts.ownTickets) && name !== ADOPTION
  );
  const drop = (names: string[]) => {
    if (names.length) add("remove", `tables ${names.join(", ")}`, [`drop table ${names.join(", ")}`]);
  };
  // an adopted table refers to municipalities, and files refer to it: its index and columns go in between
  const last = dropped.filter((name) => !facts.ownTickets && name === "public.municipalities");
  drop(dropped.filter((name) => !last.includes(name)));
  for (const { parent, name, backs } of facts.indexes) {
    if (backs) add("keep", `index ${name} on ${parent}`, [], "evidence refers to tickets by it");
    else {add("remove", `index ${name} on ${parent}`, [
        `drop index ${parent.split(".")[0]}.${identifier(name)}`,
      ]);}
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
  if (ours.tables.includes(ADOPTION)) {
    if (keepsAnything) {
      add(
        "keep",
        `table ${ADOPTION}`,
        releaseTickets(facts),
        "tells a later run, and a later installation, what is ours",
      );
    } else drop([ADOPTION]);
  }

  planSchema(facts, keepsAnything, add);
  if (facts.versions.length) {
    add("remove", `${facts.versions.length} entries of the CLI's list of migrations`, [
      `delete from supabase_migrations.schema_migrations where version in (${
        facts.versions.map(literal).join(", ")
      })`,
    ]);
  }
  for (const { id, full } of facts.buckets) if (full) add("keep", `bucket ${id}`, [], "it holds files");
  return steps;
}

type Add = (action: Step["action"], what: string, statements?: string[], why?: string) => void;

/** Once nothing of ours is in tickets, or the table is gone, one of that name is not ours to touch again. */
function releaseTickets({ kept, keptColumns, sensitiveTickets }: Facts): string[] {
  if (kept.has(TICKETS) || keptColumns.length || sensitiveTickets) return [];
  return [
    `delete from ${ADOPTION} where item in ('own table tickets', 'table tickets') or item like 'column tickets.%'`,
  ];
}

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
  if (facts.gbvCheck) {
    const what = `constraint ${GBV_CHECK} on ${TICKETS}`;
    if (facts.sensitiveTickets) add("keep", what, [], "no sensitive ticket becomes an open one");
    else add("remove", what, [`alter table ${TICKETS} drop constraint ${GBV_CHECK}`]);
  }
  for (const column of facts.keptColumns) {
    add("keep", `column tickets.${column}`, [], "tickets have something in it");
  }
  for (const column of facts.droppedColumns) {
    add("remove", `column tickets.${column}`, [`alter table ${TICKETS} drop column ${identifier(column)}`]);
  }
  if (facts.securedTickets) {
    add("keep", "row-level security of tickets", [], "never switched off; your own policies hold");
  }
}

function planSchema(facts: Facts, keepsAnything: boolean, add: Add): void {
  if (facts.schema === "absent") return;
  const revoke = (from: string[]) =>
    from.map((grantee) => `revoke usage on schema private from ${identifier(grantee)}`);
  const { usage } = facts;
  if (facts.schema === "theirs") {
    // verify_custody() runs as its caller, the service role
    const from = usage.filter((grantee) => !keepsAnything || grantee !== "service_role");
    const grant = keepsAnything && from.includes("public")
      ? ["grant usage on schema private to service_role"]
      : [];
    if (from.length) {
      add("remove", `the use of schema private by ${from.join(", ")}`, [...grant, ...revoke(from)]);
    }
  } else if (keepsAnything || facts.strangers.length) {
    add(
      "keep",
      "schema private",
      // everybody's use of it, where we gave that, is the service role's too
      revoke(
        usage.filter((grantee) => grantee !== "service_role" && !(grantee === "public" && keepsAnything)),
      ),
      facts.strangers.length
        ? `it holds objects of yours: ${facts.strangers.join(", ")}`
        : "holds what is kept",
    );
  } else add("remove", "schema private", ["drop schema private"]);
}
