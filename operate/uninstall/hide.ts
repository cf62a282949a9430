/** Statements that hide what stays, with nothing of ours behind them; the migrations take each away as their own comes. */

/** The policy's name on each of the three tables; the migrations drop it. */
export const HIDING = "kept evidence: for nobody";
const POLICY = `"${HIDING}"`;

/** No user reads or writes a sensitive ticket, whatever other policies there are. */
export function hideTickets(): string[] {
  return [
    `create policy ${POLICY} on public.tickets as restrictive for all to public using (not is_sensitive)`,
  ];
}

/** No user sees the files; nobody at all adds one, changes one or deletes one. The triggers have the migrations' names. */
export function hideObjects(buckets: string[]): string[] {
  const list = buckets.map((bucket) => `'${bucket}'`).join(", ");
  const columns = ["bucket_id", "name", "version", "owner", "owner_id", "metadata", "user_metadata"];
  const row = (which: string) => `(${columns.map((column) => `${which}.${column}`).join(", ")})`;
  return [
    `create policy ${POLICY} on storage.objects as restrictive for all to public ` +
    `using (bucket_id not in (${list})) with check (bucket_id not in (${list}))`,
    `create or replace trigger evidence_guard before update on storage.objects for each row ` +
    `when ((old.bucket_id in (${list}) or new.bucket_id in (${list})) and ${row("old")} is distinct from ${
      row("new")
    }) ` +
    `execute function private.refuse_change()`,
    "drop trigger if exists evidence_landed on storage.objects",
    `create trigger evidence_landed before insert on storage.objects for each row ` +
    `when (new.bucket_id in (${list})) execute function private.refuse_change()`,
    `create or replace trigger evidence_deleted before delete on storage.objects for each row ` +
    `when (old.bucket_id in (${list})) execute function private.refuse_change()`,
  ];
}

/** No user receives or sends on our topics. */
export function hideMessages(): string[] {
  return [
    `create policy ${POLICY} on realtime.messages as restrictive for all to public ` +
    `using (coalesce((select realtime.topic()) not like 'municipality:%', false))`,
  ];
}
