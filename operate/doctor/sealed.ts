/** Which keys sealed what residents wrote: what is left of a rotation, and what no key opens. */
import type postgres from "postgres";
import { Fernet } from "../../shared/platform/fernet.ts";
import type { Finding, Outcome } from "./findings.ts";

/** The operator's own, as the functions have them. */
export interface EncryptionKeys {
  current?: string;
  previous?: string;
}

/** Ids that a finding names. */
const NAMED = 5;

/** Nothing is under a lost key. What the previous key sealed is counted: the worker seals it anew. */
export async function sealedTexts(
  sql: postgres.TransactionSql,
  { current, previous }: EncryptionKeys,
): Promise<Outcome> {
  if (!current) {
    const found = "ENCRYPTION_KEY_CURRENT is not given: what other keys sealed was not counted";
    return { found, findings: [{ problem: "keys_untold", found, unknown: true }] };
  }
  const [ours, before] = (await Fernet.fromKeys(current, ...previous ? [previous] : [])).keyIds;
  // both ways around the current key: where nothing is left, nothing is read
  const rows = await sql<{ key: string | null; n: number; names: string[] }[]>`
    select key, count(*)::integer as n, (array_agg(name order by name))[:${NAMED}] as names
    from (
      select m.sealed_with as key, m.message_sid as name from public.inbound_messages m
      where m.sealed_with < ${ours!} or m.sealed_with > ${ours!} or m.sealed_with is null
      union all
      select t.sealed_with, 'ticket ' || t.id from public.tickets t
      where t.encrypted_description like 'gA%'
        and (t.sealed_with < ${ours!} or t.sealed_with > ${ours!} or t.sealed_with is null)
    ) others
    group by key order by key`;
  const left = new Map(rows.map((row) => [row.key, row]));
  const count = (key: string | null | undefined) => key === undefined ? 0 : left.get(key)?.n ?? 0;

  const findings: Finding[] = rows
    .filter(({ key }) => key !== null && ![before, "foreign"].includes(key))
    .map(({ key, n, names }) => {
      const which = names.join(", ") + (n > NAMED ? ", …" : "");
      return key === "unopened"
        ? { problem: "sealed_unopened", found: `${n} that no key opened: ${which}` }
        : {
          problem: "sealed_key_lost",
          found: `${n} sealed with key ${key}, which is neither current nor previous`,
        };
    });
  const waiting = count(before) + count(null);
  return {
    found: [
      waiting
        ? `${waiting} to be sealed anew with the current key, ${
          count(before)
        } of them still with the previous one`
        : `all with the current key${before && before !== ours ? "; ENCRYPTION_KEY_PREVIOUS can go" : ""}`,
      ...count("foreign") ? [`${count("foreign")} descriptions that others sealed`] : [],
    ].join("; "),
    findings,
  };
}
