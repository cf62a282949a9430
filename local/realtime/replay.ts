import type postgres from "postgres";

const mostReplayed = 25;

export interface Replayed {
  type: "broadcast";
  event: string | null;
  payload: unknown;
  meta: { id: string; replayed: true };
}

/** The newest stored messages of a private topic since a time (epoch milliseconds), oldest first. */
export async function replay(
  sql: postgres.Sql,
  topic: string,
  since: number,
  limit: number,
): Promise<Replayed[]> {
  const rows = await sql<{ id: string; event: string | null; payload: unknown }[]>`
    select id, event, payload from realtime.messages
    where topic = ${topic} and private and extension = 'broadcast' and binary_payload is null
      and inserted_at >= to_timestamp(${since}::float8 / 1000) at time zone 'utc'
    order by inserted_at desc limit ${Math.min(Math.max(limit, 1), mostReplayed)}`;
  return rows.reverse().map(({ id, event, payload }) => ({
    type: "broadcast",
    event,
    payload,
    meta: { id, replayed: true },
  }));
}
