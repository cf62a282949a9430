// Whatever Twilio signs is taken in, or refused by rule: nothing is lost, and nothing of a GBV report is in the clear anywhere.
import { Fernet } from "../../shared/platform/fernet.ts";
import { assert, assertEquals, assertMatch, assertNotEquals } from "../support/assert.ts";
import { assertRefused, call, database, until } from "../support/functions.ts";
import { parseLog } from "../support/log-lines.ts";
import { makeTicket } from "../support/stack.ts";
import { tablesWith, traces } from "../support/traces.ts";
import { signatureOf, webhookHeaders } from "../support/whatsapp.ts";
import { fc, holds, RUNS } from "./support.ts";
import { drafts, type Letter, type Scene, write } from "./webhooks.ts";

const BATCH = 20;
const LOG_FILE = `${Deno.env.get("LOCAL_SUPABASE_RUN")}/functions.log`;
const TWIML =
  /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<Response(\/>|><Message>[^<]{1,200}<\/Message><\/Response>)$/;

const word = (start: string) => start + crypto.randomUUID().replaceAll("-", "").replaceAll(/[0-9]/g, "q");

async function prepared(): Promise<Scene> {
  const [ordinary, turning] = [await makeTicket("mbombela"), await makeTicket("mbombela")];
  return {
    accountSid: Deno.env.get("TWILIO_ACCOUNT_SID")!,
    tickets: {
      ordinary: ordinary.id,
      turning: turning.id,
      sensitive: (await makeTicket("mbombela", { is_sensitive: true })).id,
      "another municipality's": (await makeTicket("polokwane")).id,
    },
    words: {
      secret: word("Geheim"),
      open: word("Openbaar"),
      number: `2782${String(crypto.getRandomValues(new Uint32Array(1))[0]!).padStart(10, "0")}`,
    },
  };
}

interface Row {
  message_sid: string;
  is_sensitive: boolean;
  ticket_sensitive: boolean | null;
  kind: string;
  body: string | null;
  place: string | null;
  latitude: number | null;
  encrypted_payload: string;
  files: { media_index: number; status: string; last_error: string | null; bucket: string }[];
  received: number;
}

Deno.test(`${RUNS} signed webhooks of arbitrary parameters: each taken in or refused by rule, nothing lost, no GBV in the clear`, async () => {
  const scene = await prepared();
  const { secret, open, number } = scene.words;
  const fernet = await Fernet.fromKeys(Deno.env.get("ENCRYPTION_KEY_CURRENT")!);
  const told = { 200: 0, 403: 0, 404: 0, 413: 0 };

  await database(async (sql) => {
    // a ticket turns sensitive once, at its first report
    await sql`update public.tickets set is_sensitive = true where id = ${scene.tickets.turning}`;

    async function rowsSince(begun: Date): Promise<Map<string, Row & { sealed: Record<string, unknown> }>> {
      const rows = await sql<Row[]>`
        select m.message_sid, m.is_sensitive, t.is_sensitive as ticket_sensitive, m.kind, m.body, m.place, m.latitude,
          m.encrypted_payload,
          (
            select coalesce(jsonb_agg(to_jsonb(a) order by a.media_index), '[]')
            from public.media_attachments a where a.message_sid = m.message_sid
          ) as files,
          (
            select count(*)::integer from public.custody_records r
            join public.media_attachments a on a.file_id = r.file_id
            where a.message_sid = m.message_sid and r.event = 'received'
          ) as received
        from public.inbound_messages m left join public.tickets t on t.id = m.ticket_id
        where m.received_at >= ${begun}`;
      return new Map(
        await Promise.all(rows.map(async (row) => {
          const sealed = JSON.parse(await fernet.decrypt(row.encrypted_payload));
          return [[sealed.Nonce].flat()[0], { ...row, sealed }] as const;
        })),
      );
    }

    function judge(letter: Letter, row: (Row & { sealed: Record<string, unknown> }) | undefined): void {
      assert(row, "a message that was taken in is not there");
      const { params } = letter;
      const names = [...new Set(params.keys())].sort();
      assertEquals(Object.keys(row.sealed).sort(), names, "a parameter is lost");
      for (const name of names) assertEquals([row.sealed[name]].flat(), params.getAll(name), name);

      if (letter.secret) assert(row.is_sensitive, "a GBV report that is not sensitive");
      assert(
        row.ticket_sensitive === null ? row.kind === "opt_out" : row.ticket_sensitive === row.is_sensitive,
      );
      const words = (params.get("Body") ?? "").replaceAll("\0", "").toWellFormed();
      if (row.kind === "opt_out") assertMatch(params.get("OptOutType") ?? "", /^(STOP|START|HELP)$/i);
      if (row.is_sensitive || row.ticket_sensitive === null) {
        assertEquals([row.body, row.place, row.latitude], [null, null, null]);
      } else assert((row.body ?? "").startsWith(words), "its words are lost");

      assertEquals(
        row.files.map((file) => file.media_index),
        Array.from({ length: letter.media }, (_, i) => i),
      );
      assertEquals(row.received, letter.media, "a file without its custody record");
      for (const file of row.files) {
        assertEquals(file.bucket, row.is_sensitive ? "gbv-evidence" : "evidence");
        assert(
          file.status === "pending" || file.status === "stored" || file.last_error,
          "failed without a reason",
        );
      }
    }

    await holds(RUNS / BATCH, fc.array(drafts, { minLength: BATCH, maxLength: BATCH }), async (batch) => {
      const [{ begun }] = await sql`select clock_timestamp() as begun` as unknown as [{ begun: Date }];
      const letters = batch.map((draft) => write(draft, scene));
      await Promise.all(letters.map(async (letter) => {
        const { params, body, query, draft, expected } = letter;
        const url = Deno.env.get("TWILIO_WEBHOOK_URL")! + query;
        const headers = webhookHeaders(draft.signature === "right" ? signatureOf(params, url) : "nobody's");
        if (draft.signature === "none") headers["x-twilio-signature"] = null;
        const answer = await call(`twilio-media${query}`, { body, headers });
        told[expected]++;
        if (expected === 200) {
          assertEquals(answer.status, 200, `${query} ${body.slice(0, 3000)}: ${answer.text}`);
          assertMatch(answer.text, TWIML);
        } else if (expected === 403) {
          assertRefused(answer, draft.signature === "right" ? "forbidden" : "invalid_signature");
        } else assertRefused(answer, expected === 404 ? "not_found" : "payload_too_large");
        for (const one of [secret, open, number]) {
          assert(!answer.text.includes(one), "the answer quotes the message");
        }
      }));
      const rows = await rowsSince(begun);
      for (const letter of letters) {
        try {
          if (letter.expected === 200) judge(letter, rows.get(letter.nonce));
          else assert(!rows.has(letter.nonce), "a message that was refused is there");
        } catch (cause) {
          throw new Error(`${letter.query} ${letter.body.slice(0, 3000)}`, { cause });
        }
      }
    });

    for (const [status, count] of Object.entries(told)) assertNotEquals(count, 0, `none was told ${status}`);
    assertEquals(await tablesWith(sql, traces(secret)), [], "a GBV report is in the clear");
    assertEquals(await tablesWith(sql, traces(number)), [], "a sender's number is in the clear");
    assertEquals(await tablesWith(sql, traces(open)), [
      "private.ticket_words",
      "public.inbound_messages",
      "public.tickets",
    ]);
    const fields = await sql`
      select event, jsonb_agg(distinct key order by key) as keys
      from realtime.messages, jsonb_object_keys(payload) key
      where topic like 'municipality:%' and key <> 'id' and event <> 'media_event' group by event order by event`;
    assertEquals(Object.fromEntries(fields.map(({ event, keys }) => [event, keys])), {
      message_event: ["kind", "message_sid", "municipality_id", "ticket_id"],
      ticket_event: ["municipality_id", "status", "ticket_id", "type"],
    });
    const [betrayed] = await sql`
      select count(*)::integer as number from realtime.messages m join public.tickets t on t.id = (m.payload ->> 'ticket_id')::uuid
      where t.is_sensitive and m.topic not like '%:gbv' and m.payload ->> 'type' is distinct from 'DELETE'`;
    assertEquals(betrayed!.number, 0, "all staff were told of a GBV report");
  });

  let log = "";
  await until("the log is written", async () => {
    log = (await Deno.readTextFile(LOG_FILE)).replaceAll(/^\[[a-z-]+\] /gm, "");
    return log.split("\n").filter((line) => line.includes('"twilio-media"')).length >= told[200];
  });
  parseLog(log);
  for (const trace of [secret, open, number].flatMap(traces)) {
    assert(!log.includes(trace), "the log quotes a message");
  }
});
