/** Committed rows of realtime.messages, in commit order, from a temporary logical replication slot (pgoutput). */
import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import postgres from "postgres";

/** One inserted row, values in Postgres's text form. */
export type Row = Record<string, string | null>;

const publication = "supabase_realtime_messages_publication";
const slotPrefix = "supabase_realtime_messages_replication_slot_";

export interface Replication {
  /**
   * Resolves once the slot streams: whatever commits from then on comes to `onRow`, what committed before never does.
   * Postgres waits here for the write transactions that are open now.
   */
  ready: Promise<void>;
  /** Ends the connection, and the slot with it. */
  stop(): Promise<void>;
}

/** `onEnd` is called when it fails or ends other than by `stop`. */
export function startReplication(
  pool: postgres.Sql,
  onRow: (row: Row) => void,
  onEnd: (error?: unknown) => void,
): Replication {
  const { host, port, user, database } = pool.options;
  let ended = false;
  const sql = postgres({
    host: host[0],
    port: port[0],
    username: user,
    database,
    max: 1,
    fetch_types: false,
    idle_timeout: 0,
    max_lifetime: null,
    connection: { application_name: "realtime_replication_connection", replication: "database" },
    onclose: () => end(),
  });

  async function start() {
    const slot = slotPrefix + crypto.randomUUID().slice(0, 8);
    // The replication commands' own grammar knows its words in capitals only.
    await sql.unsafe(`CREATE_REPLICATION_SLOT ${slot} TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT`);
    // postgres.js types it as a Writable; what the server sends can be read from it.
    const stream = await sql.unsafe(
      `START_REPLICATION SLOT ${slot} LOGICAL 0/0 (proto_version '1', publication_names '${publication}')`,
    ).writable() as Duplex;
    const relations = new Map<number, string[]>();
    stream.on("data", (data: Buffer) => {
      if (data[0] === 0x77) { // 'w': a change, after three 8-byte numbers
        const row = ended ? undefined : decodeChange(data.subarray(25), relations);
        if (row) onRow(row);
      } else if (data[0] === 0x6b && data[17] === 1) { // 'k': the server asks whether we are there
        stream.write(standbyStatus(data.readBigUInt64BE(1) + 1n));
      }
    });
    stream.on("error", end);
    stream.on("close", end);
  }

  function end(error?: unknown) {
    if (ended) return;
    stop();
    onEnd(error);
  }

  async function stop() {
    ended = true;
    await sql.end({ timeout: 0 });
  }

  const ready = start();
  ready.catch(end);
  return { ready, stop };
}

function standbyStatus(position: bigint): Buffer {
  const status = Buffer.alloc(34);
  status.write("r");
  for (const at of [1, 9, 17]) status.writeBigUInt64BE(position, at);
  return status;
}

/** The row of an INSERT; anything else gives nothing. Partitions come as relations of their own. */
function decodeChange(data: Buffer, relations: Map<number, string[]>): Row | undefined {
  let at = 1;
  const text = () => {
    const end = data.indexOf(0, at);
    const value = data.toString("utf8", at, end);
    at = end + 1;
    return value;
  };
  const uint16 = () => data.readUInt16BE((at += 2) - 2);
  const uint32 = () => data.readUInt32BE((at += 4) - 4);

  const type = String.fromCharCode(data[0]!);
  if (type === "R") {
    const id = uint32();
    text(); // schema
    text(); // table
    at += 1; // replica identity
    const columns = Array.from({ length: uint16() }, () => {
      at += 1; // whether it is part of the key
      const name = text();
      at += 8; // type and its modifier
      return name;
    });
    relations.set(id, columns);
  } else if (type === "I") {
    const columns = relations.get(uint32()) ?? [];
    at += 1; // 'N'
    const count = uint16();
    const row: Row = {};
    for (let n = 0; n < count; n++) {
      const isText = String.fromCharCode(data[at++]!) === "t";
      if (!isText) {
        row[columns[n]!] = null;
        continue;
      }
      const length = uint32();
      row[columns[n]!] = data.toString("utf8", at, at += length);
    }
    return row;
  }
  return undefined;
}
