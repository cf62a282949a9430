/** What the media worker asks, with a tenth as many files due of each kind as there are tickets. What it does stays done. */
import { quantile } from "../harness/statistics.ts";
import { claims } from "./place.ts";
import { within } from "./statements.ts";
import type { Filled, Measured } from "./writes.ts";

const KINDS = ["move", "transfer", "hash", "upload"] as const;
type Kind = typeof KINDS[number];

export const WORK: Measured[] = [
  claiming("a move claimed, a tenth due", ["move"]),
  claiming("a transfer claimed, a tenth due", ["transfer"]),
  claiming("a hash claimed, a tenth due", ["hash"]),
  claiming("200 uploads expired, a tenth due", ["upload"]),
  claiming("work claimed, a tenth due of each kind", KINDS),
];

function claiming(name: string, kinds: readonly Kind[]): Measured {
  return {
    name: `${name} (service_role)`,
    goal: 0.1,
    async measure(filled) {
      await makeDue(filled, kinds);
      const times: number[] = [];
      // each round of an upload's expires 200
      const most = kinds.includes("upload") ? Math.min(20, filled.place.size / 10 / 200) : 40;
      while (times.length < most) {
        const begun = performance.now();
        const claimed = await within(
          filled.api,
          claims("service_role", filled.place),
          undefined,
          async (tx) => (await tx`select public.claim_media_work() as work`)[0]!.work,
          { keep: true },
        );
        times.push(performance.now() - begun);
        if (claimed === null) break;
      }
      return quantile(times, 0.5);
    },
  };
}

const prepared = new WeakSet<Filled>();

/** Makes all of these kinds due, the others not. */
async function makeDue(filled: Filled, kinds: readonly Kind[]): Promise<void> {
  const { superuser } = filled;
  if (!prepared.has(filled)) await makeWork(filled);
  prepared.add(filled);
  await superuser.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    await tx`
      update public.media_attachments m
      set status = case when w.kind in ('transfer', 'upload') then 'pending' else 'stored' end, attempts = 0, last_error = null,
        next_attempt_at = case
          when w.kind <> all (${[...kinds]}::text[]) then now() + interval '1 day'
          when w.kind = 'move' then '-infinity'
          else now() - (hashtext(m.path) & 65535) * interval '1 second'
        end
      from bench_work w where w.file_id = m.file_id`;
  });
  await superuser`vacuum analyze public.media_attachments`;
}

/** Files that are to be moved (those of tickets that turned sensitive), transferred, hashed, and that never came. */
async function makeWork({ superuser, place }: Filled): Promise<void> {
  const many = Math.round(place.size / 10);
  await superuser`
    create table bench_work as
    select file_id, ticket_id, case
        when ticket % 8 = 0 and to_move <= ${many} then 'move'
        when ticket % 8 = 0 then null
        when source = 'whatsapp' and nth <= ${many} then 'transfer'
        when source = 'web' and nth <= ${many} then 'hash'
        when source = 'web' and nth <= ${2 * many} then 'upload'
      end as kind
    from (
      select *, row_number() over (partition by ticket % 8 = 0, source order by path) as nth,
        row_number() over (partition by ticket % 8 = 0 order by ticket_id, path) as to_move
      from (
        select file_id, ticket_id, path, source, hashtext(ticket_id::text) & 65535 as ticket
        from public.media_attachments
        where tenant_id = ${place.tenant} and not is_sensitive and status = 'stored' and sha256 is not null
      ) ordinary
    ) numbered`;
  await superuser`delete from bench_work where kind is null`;
  await superuser.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    const turned = tx`select ticket_id from bench_work where kind = 'move'`;
    await tx`update public.tickets set is_sensitive = true, description = null where id in (${turned})`;
    await tx`update public.inbound_messages set is_sensitive = true, body = null where ticket_id in (${turned})`;
    await tx`
      update public.media_attachments m set
        is_sensitive = kind = 'move',
        sha256 = case when kind = 'move' then sha256 end,
        stored_at = case when kind in ('move', 'hash') then stored_at end,
        status = case when kind in ('move', 'hash') then 'stored' else 'pending' end,
        read_back_at = null, read_back_sha256 = null
      from bench_work w where w.file_id = m.file_id`;
  });
  await superuser`vacuum analyze public.tickets, public.inbound_messages`;
}
