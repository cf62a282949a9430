/** Residents who keep sending media, and what must be true of them afterwards whatever went wrong meanwhile. */
import type { MediaFile, MessageOptions } from "../../local/twilio-client.ts";
import { assert, assertEquals } from "./assert.ts";
import { between, type OwnStack, pause } from "./own-stack.ts";
import type { Sample } from "./whatsapp.ts";

interface SentFile extends MediaFile {
  bytes: Uint8Array<ArrayBuffer>;
}

export interface Sent {
  messageSid: string;
  files: SentFile[];
  /** Twilio had its 2xx. */
  acknowledged: boolean;
}

/** A municipality's numbers; every fifth message is for the GBV one. */
const NUMBERS = ["+27130000001", "+27150000001", "+27130000001", "+27150000001", "+27130000002"];

export interface FloodOptions {
  /** Milliseconds between two messages of one sender, at least and at most. */
  pauses?: [number, number];
  senders?: number;
  /** Media of a message, at most. */
  media?: number;
  /** Every so many messages a large file comes too. */
  largeEvery?: number;
  options?: () => MessageOptions | undefined;
}

/**
 * Sends until told to stop. What was not acknowledged is sent again by Twilio in two cases of three, and sometimes what
 * was is.
 */
export function flood(own: OwnStack, settings: FloodOptions = {}): { stop(): Promise<Sent[]> } {
  const { pauses = [200, 500], senders = 2, media = 10, largeEvery = 8, options = () => undefined } =
    settings;
  const { whatsapp: { send, newSender, SAMPLES, sampleFile, twilio } } = own;
  const all: Sent[] = [];
  let going = true;

  async function sender() {
    const from = newSender();
    while (going) {
      const number = all.length;
      const names = Object.keys(SAMPLES) as Sample[];
      const files = await Promise.all(
        Array.from({ length: between(1, media) }, async () => unique(await sampleFile(pick(names)))),
      );
      if (number % largeEvery === largeEvery - 1) files[0] = await large(own, between(2, 5));
      const sent: Sent = { messageSid: "", files, acknowledged: false };
      all.push(sent);
      const answer = await send(from, NUMBERS[number % NUMBERS.length]!, { files, options: options() });
      sent.messageSid = answer.message_sid;
      sent.acknowledged = answer.status === 200;
      while (going && Math.random() < (sent.acknowledged ? 0.1 : 0.67)) {
        const again = await twilio.replay(sent.messageSid);
        sent.acknowledged ||= again.status === 200;
      }
      await pause(between(...pauses));
    }
  }
  const running = Promise.all(Array.from({ length: senders }, sender));
  running.catch(() => {}); // stop() throws it
  return {
    async stop() {
      going = false;
      await running;
      return all;
    },
  };
}

/** No two files are the same: what follows a file's end is of no interest to whoever tells its type. */
function unique(file: SentFile): SentFile {
  const bytes = new Uint8Array(file.bytes.length + 16);
  bytes.set(file.bytes);
  crypto.getRandomValues(bytes.subarray(file.bytes.length));
  return { ...file, bytes };
}

async function large(own: OwnStack, megabytes: number): Promise<SentFile> {
  const blob = own.stack.sample("image/jpeg", megabytes * 1_000_000 + between(0, 1000));
  return { type: blob.type, bytes: await blob.bytes() as Uint8Array<ArrayBuffer> };
}

function pick<T>(list: T[]): T {
  return list[between(0, list.length - 1)]!;
}

/**
 * Lets time pass: what waits for a later moment, a lease that somebody holds too, is due now, in no order. `patience`:
 * not what has been tried so many times, since a day does not pass between two kills.
 */
export async function letTimePass(own: OwnStack, patience = 1000): Promise<void> {
  await own.superuser`
    update public.media_attachments set next_attempt_at = now() - random() * interval '1 second'
    where next_attempt_at > now() and attempts < ${patience} and (status <> 'pending' or source = 'whatsapp')`;
}

/** Lets time pass, again and again, while the work goes on. */
export async function whileTimePasses<T>(
  own: OwnStack,
  patience: number,
  work: () => Promise<T>,
): Promise<T> {
  let going = true;
  const clock = (async () => {
    while (going) {
      await letTimePass(own, patience).catch(() => {}); // the database may be down, too
      await pause(300);
    }
  })();
  try {
    return await work();
  } finally {
    going = false;
    await clock;
  }
}

/** Lets time pass until nothing is left to do. */
export async function workToTheEnd(own: OwnStack, seconds = 60): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    await letTimePass(own);
    const [left] = await own.superuser<{ n: number; errors: string }[]>`
      select count(*)::integer as n, string_agg(distinct last_error, ' ') as errors
      from public.media_attachments
      where next_attempt_at is not null and (status <> 'pending' or source = 'whatsapp')`;
    if (left!.n === 0) return;
    assert(Date.now() < deadline, `${left!.n} media are still not done: ${left!.errors}`);
    await pause(200);
  }
}

/** Asserts it all; `spoilt` tells which sent files may have failed, with which reasons. Returns a line to be printed. */
export async function assertNothingLost(
  own: OwnStack,
  sent: Sent[],
  reasons: (file: SentFile) => string[] = () => [],
): Promise<string> {
  const { superuser: sql, stack: { service, ok, sha256 }, whatsapp: { mediaOf } } = own;
  let media = 0;
  const tries: number[] = [];
  for (const { messageSid, files, acknowledged } of sent) {
    const records = await mediaOf(messageSid);
    // killed before the answer, but after the record: then all of it is there too
    if (records.length === 0 && !acknowledged) continue;
    assertEquals(records.map(({ media_index }) => media_index), files.map((_, index) => index), messageSid);
    for (const [index, record] of records.entries()) {
      const file = files[index]!;
      const what = `${messageSid} ${index} ${record.file_id}: ${record.last_error}`;
      media++;
      tries.push(record.attempts);
      const allowed = reasons(file);
      if (record.status === "failed" && allowed.length) {
        assert(allowed.includes(record.last_error!), what);
        continue;
      }
      assertEquals(record.status, "stored", what);
      assertEquals([record.sha256, record.file_size], [await sha256(file.bytes), file.bytes.length], what);
      const stored = await ok(service.storage.from(record.bucket).download(record.path));
      assertEquals(await sha256(stored), record.sha256, what);
    }
  }
  const known = sent.map(({ messageSid }) => messageSid);
  const [counts] = await sql`
    select
      (select count(*)::integer from public.inbound_messages where message_sid <> all (${known})) as unheard_of,
      (select count(*)::integer from public.inbound_messages where message_sid = any (${known})) as messages`;
  assertEquals(counts!.unheard_of, 0, "messages nobody sent");
  await assertConsistent(own);
  const acknowledged = sent.filter((message) => message.acknowledged).length;
  return `${sent.length} messages sent, ${acknowledged} acknowledged, ${
    counts!.messages
  } recorded, ${media} media; ` +
    `tries: ${[1, 2, 3, 4, 5, 6, 7, 8].map((n) => tries.filter((each) => each === n).length).join(" ")}`;
}

/** No object without its record, no record without its object, each step in the log once, the log whole. */
export async function assertConsistent(own: OwnStack): Promise<void> {
  const { superuser: sql } = own;
  assertEquals(
    await sql`
      select o.bucket_id, o.name from storage.objects o
      left join public.media_attachments m on (m.bucket, m.path) = (o.bucket_id, o.name) and m.status = 'stored'
      where m.file_id is null`.then((rows) => [...rows]),
    [],
    "objects without a record",
  );
  assertEquals(
    await sql`
      select m.file_id, m.bucket, m.path from public.media_attachments m
      left join storage.objects o on (o.bucket_id, o.name) = (m.bucket, m.path)
        and (o.metadata ->> 'size')::bigint = m.file_size and o.metadata ->> 'mimetype' = m.content_type
      where m.status = 'stored' and (o.id is null or m.sha256 is null or m.moved_from is not null)`.then((
      rows,
    ) => [...rows]),
    [],
    "records without their object",
  );
  assertEquals(
    await sql`
      select m.file_id, m.status, array_agg(r.event order by r.recorded_at) as events
      from public.media_attachments m
      left join public.custody_records r on r.file_id = m.file_id
      group by m.file_id
      having count(*) filter (where r.event = 'received') <> (m.status = 'stored' or m.source = 'whatsapp')::integer
        or m.source = 'whatsapp' and count(*) filter (where r.event = 'stored') <> (m.status = 'stored')::integer`
      .then((rows) => [...rows]),
    [],
    "a step is missing in the log, or is there twice",
  );
  assertEquals([...await sql`select * from private.first_tampered(null)`], []);
}
