// Rules that no client comes to in the ordinary way: asked in the database itself, and everything is taken back.
import type postgres from "postgres";
import { assert, assertEquals } from "../support/assert.ts";
import { announce, ownFile, serviceFile, ticketFile } from "../support/files.ts";
import { claimsOf, database } from "../support/functions.ts";
import {
  makeTicket,
  MUNICIPALITIES,
  ok,
  type Person,
  person,
  sample,
  service,
  type Slug,
  SLUGS,
} from "../support/stack.ts";
import { accepted, newSender, settled } from "../support/whatsapp.ts";

type Tx = postgres.TransactionSql;
class Undo extends Error {}

/** Works in a transaction that is taken back. */
async function takenBack(work: (tx: Tx) => Promise<void>): Promise<void> {
  await database((sql) =>
    sql.begin(async (tx) => {
      await work(tx);
      throw new Undo();
    }).catch((error) => {
      if (!(error instanceof Undo)) throw error;
    })
  );
}

/** The code with which Postgres refuses, or "done"; what was done is taken back at once. */
async function outcome(tx: Tx, work: (tx: Tx) => PromiseLike<unknown>): Promise<string> {
  return await tx.savepoint(async (point) => {
    await work(point);
    throw new Undo();
  }).catch((error) => error instanceof Undo ? "done" : error.code as string) as string;
}

/** As this person, as PostgREST would set it. */
async function become(tx: Tx, { token }: Person): Promise<void> {
  await tx`select set_config('request.jwt.claims', ${JSON.stringify(claimsOf(token))}, true)`;
  await tx`set local role authenticated`;
}

// Messages -------------------------------------------------------------------------------------------------------------

Deno.test("what a resident wrote is neither deleted nor changed, by the database's owner neither; its clear words can go", async () => {
  const { number } = MUNICIPALITIES.mbombela;
  const params = { Latitude: "-25.47", Longitude: "30.97", Label: "Corner" };
  const { message_sid: sid } = await accepted(newSender(), number, { body: "A pothole", params });
  await takenBack(async (tx) => {
    const change = (set: string) =>
      outcome(
        tx,
        (tx) => tx.unsafe(`update public.inbound_messages set ${set} where message_sid = '${sid}'`),
      );
    for (
      const set of [
        ...[
          "body = 'Nothing'",
          "place = 'Elsewhere'",
          "latitude = 0",
          "longitude = 0",
          "kind = 'text'",
          "reply = 'none'",
        ],
        ...[
          "received_at = now()",
          "channel = 'sms'",
          "channel_number = 'x'",
          "sender_refs = '{xxxxxxxxxxxxxxxx}'",
        ],
        "tenant_id = gen_random_uuid()",
      ]
    ) assertEquals(await change(set), "42501", set);
    assertEquals(await change("encrypted_payload = 'gAAAAAx'"), "42501", "sealed anew without its key's id");
    assertEquals(await change("encrypted_payload = 'gAAAAAx', sealed_with = '0123abcd'"), "done");
    for (const gone of ["body", "place", "latitude", "longitude"]) {
      assertEquals(await change(`${gone} = null`), "done");
    }
    for (
      const statement of ["delete from public.inbound_messages", "truncate public.inbound_messages cascade"]
    ) {
      assertEquals(await outcome(tx, (tx) => tx.unsafe(statement)), "42501", statement);
    }
  });
});

for (const table of ["media_attachments", "custody_records", "custody_audits"]) {
  Deno.test(`no row of ${table} is deleted, by the database's owner neither`, async () => {
    await serviceFile("evidence", "mbombela");
    await takenBack(async (tx) => {
      for (const statement of [`delete from public.${table}`, `truncate public.${table} cascade`]) {
        assertEquals(await outcome(tx, (tx) => tx.unsafe(statement)), "42501", statement);
      }
    });
  });
}

// Reading GBV evidence -------------------------------------------------------------------------------------------------

Deno.test("a recorded read lets that person, and nobody else, download that file for fifteen minutes", async () => {
  const [admin, liaison] = [await person("admin"), await person("saps_liaison")];
  const [file, other] = [await ownFile(admin, "gbv-evidence"), await ownFile(admin, "gbv-evidence")];
  const opened = async (ago: string, event: string, reader: Person, asked: string) => {
    let answer = false;
    await takenBack(async (tx) => {
      await tx`insert into public.custody_records (id, tenant_id, file_id, event, recorded_at, user_id, details, hash)
        values (gen_random_uuid(), ${admin.tenant}, ${file.fileId}, ${event}, now() - ${ago}::interval,
          ${admin.userId}, '{}', repeat('0', 64))`;
      await become(tx, reader);
      const [row] = await tx`select private.caller_opened(${asked}) as it`;
      answer = row!.it;
    });
    return answer;
  };
  assertEquals(await opened("14 minutes", "url_signed", admin, file.fileId), true);
  assertEquals(await opened("16 minutes", "url_signed", admin, file.fileId), false, "after fifteen minutes");
  assertEquals(await opened("1 minute", "certified", admin, file.fileId), false, "for another act");
  assertEquals(await opened("1 minute", "url_signed", liaison, file.fileId), false, "for somebody else");
  assertEquals(await opened("1 minute", "url_signed", admin, other.fileId), false, "for another file");
});

Deno.test("a ticket that turns sensitive hides its own files and messages, and touches no other's", async () => {
  const admin = await person("admin"), elsewhere = await person("admin", "polokwane");
  const turned = await makeTicket("mbombela"), secret = await makeTicket("mbombela", { is_sensitive: true });
  const others = [[admin, await makeTicket("mbombela")], [elsewhere, await makeTicket("polokwane")]] as const;
  const writes = async (to: string, ticket_id: string) =>
    (await accepted(newSender(), to, { ticket_id, body: "A pothole" })).message_sid;
  const mine = {
    file: (await ticketFile(admin, turned.id)).fileId,
    message: await writes(MUNICIPALITIES.mbombela.number, turned.id),
  };
  await ticketFile(admin, secret.id);
  for (const [who, { id }] of others) {
    await ticketFile(who, id);
    await writes(MUNICIPALITIES[who.slug].number, id);
  }
  await takenBack(async (tx) => {
    const untouched = async () =>
      await tx`
        select to_jsonb(m) from public.media_attachments m where m.file_id <> ${mine.file}
        union all select to_jsonb(m) from public.inbound_messages m where m.message_sid <> ${mine.message}
        order by 1`;
    // what Realtime replays of others, and the project's own topics, whatever they speak of
    await tx`insert into realtime.messages (topic, extension, event, payload, private)
      values ('rooms:1', 'broadcast', 'x', ${tx.json({ ticket_id: turned.id })}, true)`;
    const topic = `municipality:${admin.tenant}`;
    const told = async () =>
      (await tx`select id from realtime.messages
        where (topic, payload ->> 'ticket_id') is distinct from (${topic}, ${turned.id})`).map(({ id }) =>
        id as string
      );
    const [before, toldBefore] = [await untouched(), await told()];
    assert(toldBefore.length > 10, "nothing was told");
    await tx`update public.tickets set is_sensitive = true where id = ${turned.id}`;
    assertEquals([...await untouched()], [...before]);
    const toldAfter = new Set(await told());
    assertEquals(toldBefore.filter((id) => !toldAfter.has(id)), [], "what was told of others is gone");
    const own = await tx`select payload ->> 'type' as type from realtime.messages
      where topic = ${topic} and payload ->> 'ticket_id' = ${turned.id}`;
    assertEquals([...own], [{ type: "DELETE" }] as never);
    const [file] = await tx`select is_sensitive from public.media_attachments where file_id = ${mine.file}`;
    const [message] =
      await tx`select is_sensitive, body from public.inbound_messages where message_sid = ${mine.message}`;
    assertEquals([file, message], [{ is_sensitive: true }, { is_sensitive: true, body: null }] as never);
  });
});

// What is told ---------------------------------------------------------------------------------------------------------

for (const slug of SLUGS) {
  Deno.test(`${slug}: of a sensitive ticket's files and messages only those are told who see them`, async () => {
    const admin = await person("admin", slug);
    const { id: tenant, number } = MUNICIPALITIES[slug];
    const bytes = await sample().bytes() as Uint8Array<ArrayBuffer>;
    const told = async (ticketId: string, fileId: string) =>
      await database((sql) =>
        sql`select event, topic, count(*)::integer as times from realtime.messages
          where payload ->> 'ticket_id' = ${ticketId} and event in ('media_event', 'message_event')
            or payload ->> 'file_id' = ${fileId}
          group by 1, 2 order by 1, 2`
      );
    for (const sensitive of [false, true]) {
      const ticket = await makeTicket(slug, { is_sensitive: sensitive });
      const file = await ticketFile(admin, ticket.id);
      const sent = await accepted(newSender(), number, {
        ticket_id: ticket.id,
        files: [{ type: "image/jpeg", bytes }],
      });
      await settled(sent.message_sid, 1);
      const topic = `municipality:${tenant}${sensitive ? ":gbv" : ""}`;
      assertEquals((await told(ticket.id, file.fileId)).map(({ event, topic }) => [event, topic]), [
        ["media_event", topic],
        ["message_event", topic],
      ]);
    }
  });
}

Deno.test("that a sender of GBV writes elsewhere is told once, to those who see GBV, in that municipality, while the report is open", async () => {
  const { mbombela, polokwane } = MUNICIPALITIES;
  const from = newSender();
  const topics = async (to: string, sender = from) => {
    const { message_sid } = await accepted(sender, to);
    return await database(async (sql) =>
      (await sql`select topic from realtime.messages
        where event = 'message_event' and payload ->> 'message_sid' = ${message_sid} order by topic`).map((
        { topic },
      ) => topic)
    );
  };
  const [general, gbv] = [`municipality:${mbombela.id}`, `municipality:${mbombela.id}:gbv`];
  const report = await accepted(from, mbombela.gbvNumber);
  assertEquals(await topics(mbombela.gbvNumber), [gbv], "the report's own messages");
  assertEquals(await topics(mbombela.number), [general, gbv]);
  assertEquals(await topics(polokwane.number), [`municipality:${polokwane.id}`], "in another municipality");
  const other = newSender();
  assertEquals(await topics(mbombela.number, other), [general], "of somebody else");
  assertEquals(await topics(mbombela.number, other), [general], "of somebody else, again");
  const { ticket_id } = await ok(
    service.from("inbound_messages").select("ticket_id").eq("message_sid", report.message_sid).single(),
  );
  await ok(service.from("tickets").update({ status: "closed" }).eq("id", ticket_id).select());
  assertEquals(await topics(mbombela.number), [general], "after the report was closed");
});

Deno.test("no client sends on a municipality's topics, not even where a policy of the project lets everybody send", async () => {
  for (const slug of SLUGS) {
    const admin = await person("admin", slug);
    await takenBack(async (tx) => {
      await tx.unsafe(
        `create policy "anybody sends" on realtime.messages for insert to public with check (true)`,
      );
      const send = (topic: string) =>
        outcome(tx, async (tx) => {
          await tx`select set_config('realtime.topic', ${topic}, true)`;
          await become(tx, admin);
          await tx`insert into realtime.messages (topic, extension, event, payload, private)
            values (${topic}, 'broadcast', 'x', '{}', true)`;
        });
      for (const end of ["", ":gbv", ":x"]) {
        assertEquals(await send(`municipality:${admin.tenant}${end}`), "42501");
      }
      assertEquals(await send("rooms:1"), "done", "the project's own topics");
    });
  }
});

// Stored files ---------------------------------------------------------------------------------------------------------

interface Landing {
  bucket?: string;
  path?: string;
  owner?: string | null;
  metadata?: Record<string, unknown>;
  role?: string;
}

/** What becomes of a row that Storage would write. */
function land(tx: Tx, place: { bucket: string; path: string }, given: Landing): Promise<string> {
  const { bucket, path, owner = null, role = "service_role" } = { ...place, ...given };
  const metadata = { size: 2000, mimetype: "image/jpeg", cacheControl: "max-age=3600", ...given.metadata };
  return outcome(tx, async (tx) => {
    await tx.unsafe(`set local role ${role}`);
    await tx`insert into storage.objects (bucket_id, name, owner_id, metadata)
      values (${bucket}, ${path}, ${owner}, ${tx.json(metadata as never)})`;
    await tx`set constraints all immediate`;
  });
}

Deno.test("a file has a second object only as the service's copy in gbv-evidence, while its ticket is sensitive", async () => {
  const admin = await person("admin");
  const open = await makeTicket("mbombela"), turned = await makeTicket("mbombela");
  const ordinary = await ticketFile(admin, open.id), file = await ticketFile(admin, turned.id);
  const pending = await announce(admin, { ticket_id: turned.id });
  await takenBack(async (tx) => {
    await tx`update public.tickets set is_sensitive = true where id = ${turned.id}`;
    const copy = { bucket: "gbv-evidence", path: file.path };
    assertEquals(await land(tx, copy, {}), "done");
    assertEquals(await land(tx, copy, { owner: admin.userId }), "42501", "by a person");
    assertEquals(await land(tx, copy, { path: `${file.path}.jpg` }), "42501", "under another name");
    assertEquals(await land(tx, copy, { bucket: "documents" }), "42501", "in another bucket");
    assertEquals(await land(tx, copy, { path: ordinary.path }), "42501", "of an ordinary ticket's file");
    assertEquals(await land(tx, copy, { path: pending.path }), "42501", "of a file that has not come");
    await tx`update public.media_attachments set bucket = 'gbv-evidence' where file_id = ${file.fileId}`;
    assert(await land(tx, copy, {}) !== "done", "of a file that lies there already");
  });
});

Deno.test("an announced place takes one file, from who announced it, in its bucket, under its name", async () => {
  const [citizen, other] = [await person("citizen"), await person("field_worker")];
  const place = await announce(citizen);
  const stored = await ownFile(citizen, "evidence");
  await takenBack(async (tx) => {
    assertEquals(await land(tx, place, { owner: citizen.userId }), "done");
    assertEquals(await land(tx, place, { owner: other.userId }), "42501", "by somebody else");
    assertEquals(await land(tx, place, {}), "42501", "by the service");
    assertEquals(
      await land(tx, place, { owner: citizen.userId, bucket: "documents" }),
      "42501",
      "in another bucket",
    );
    assertEquals(
      await land(tx, place, { owner: citizen.userId, path: `${place.path}.jpg` }),
      "42501",
      "of another name",
    );
    assertEquals(
      await land(tx, stored, { owner: citizen.userId, path: stored.path }),
      "23505",
      "where one lies",
    );
  });
});

Deno.test("a file that lands is of the bucket's types and size, not empty, and in no cache", async () => {
  const citizen = await person("citizen");
  const place = await announce(citizen);
  await takenBack(async (tx) => {
    const landed = (metadata: Record<string, unknown>) =>
      land(tx, place, { owner: citizen.userId, metadata });
    assertEquals(await landed({}), "done");
    for (
      const metadata of [
        { size: 0 },
        { size: 50 * 1024 * 1024 + 1 },
        { mimetype: "text/html" },
        { mimetype: "application/octet-stream" }, // for residents' files alone
        { cacheControl: "public, max-age=31536000, immutable" },
        { cacheControl: "max-age=7200" },
        { mimetype: null },
      ]
    ) assertEquals(await landed(metadata), "42501", JSON.stringify(metadata));
  });
});

Deno.test("what is of no type we know is not taken from the service either, but as a resident's file", async () => {
  const path = `${MUNICIPALITIES.mbombela.id}/${crypto.randomUUID()}/file.bin`;
  await takenBack(async (tx) => {
    const place = { bucket: "evidence", path };
    assertEquals(await land(tx, place, {}), "done");
    assertEquals(await land(tx, place, { metadata: { mimetype: "application/octet-stream" } }), "42501");
  });
});

Deno.test("a resident's pending file is stored by the service alone, of whatever type", async () => {
  const { number } = MUNICIPALITIES.mbombela;
  const admin = await person("admin");
  const bytes = await sample().bytes() as Uint8Array<ArrayBuffer>;
  const options = { faults: { status: 500 } };
  const sent = await accepted(newSender(), number, { files: [{ type: "image/jpeg", bytes }], options });
  const [record] = await settled(sent.message_sid, 1);
  await takenBack(async (tx) => {
    assertEquals(await land(tx, record!, {}), "done");
    assertEquals(await land(tx, record!, { metadata: { mimetype: "application/octet-stream" } }), "done");
    assertEquals(await land(tx, record!, { owner: admin.userId }), "42501", "by a person");
    // Storage asks as the user first, whether they may: without an owner they are not the service
    await tx`select set_config('request.jwt.claims', ${JSON.stringify(claimsOf(admin.token))}, true),
      set_config('storage.operation', 'storage.object.upload', true)`;
    const own = { path: `${admin.tenant}/${crypto.randomUUID()}/photo.jpg`, owner: admin.userId };
    assertEquals(await land(tx, record!, { ...own, role: "authenticated" }), "done");
    assertEquals(await land(tx, record!, { role: "authenticated" }), "42501", "by a person's probe");
  });
});

Deno.test("the deploy's trial folder is the secret key's alone, and a folder of no municipality nobody's", async () => {
  const admin = await person("admin");
  const place = (tenant: string) => ({
    bucket: "evidence",
    path: `${tenant}/${crypto.randomUUID()}/trial.jpg`,
  });
  const trial = place("00000000-0000-0000-0000-000000000000");
  await takenBack(async (tx) => {
    assertEquals(await land(tx, trial, {}), "done");
    assertEquals(await land(tx, trial, { owner: admin.userId }), "42501", "by a person");
    assertEquals(await land(tx, place(crypto.randomUUID()), {}), "42501", "of no municipality");
    assertEquals(await land(tx, place(admin.tenant), { owner: admin.userId }), "done");
  });
});

Deno.test("no object of ours changes, and none becomes one of ours", async () => {
  const file = await serviceFile("evidence", "mbombela");
  await takenBack(async (tx) => {
    await tx`insert into storage.buckets (id, name) values ('loose', 'loose')`;
    await tx`insert into storage.objects (bucket_id, name) values ('loose', ${
      file.path.replace("photo", "other")
    })`;
    const change = (set: string, where: string) =>
      outcome(
        tx,
        (tx) => tx.unsafe(`set local role service_role; update storage.objects set ${set} where ${where}`),
      );
    const ours = `name = '${file.path}'`;
    for (
      const set of [
        "metadata = '{}'",
        "bucket_id = 'documents'",
        "bucket_id = 'loose'",
        "name = 'x'",
        "owner_id = 'x'",
      ]
    ) {
      assertEquals(await change(set, ours), "42501", set);
    }
    assertEquals(await change("bucket_id = 'evidence'", "bucket_id = 'loose'"), "42501", "into ours");
    assertEquals(await change("metadata = '{}'", "bucket_id = 'loose'"), "done", "of the project's own");
  });
});

// Who may act ----------------------------------------------------------------------------------------------------------

const FOREIGN: Record<Slug, Slug> = { mbombela: "polokwane", polokwane: "mbombela" };

for (const slug of SLUGS) {
  Deno.test(`${slug}: an update without a filter changes the own municipality's tickets, and no other's`, async () => {
    const [own, foreign] = [await makeTicket(slug), await makeTicket(FOREIGN[slug])];
    const hidden = await makeTicket(slug, { is_sensitive: true });
    for (const role of ["manager", "admin", "saps_liaison", "field_worker"] as const) {
      await takenBack(async (tx) => {
        await become(tx, await person(role, slug));
        const changed = (await tx`update public.tickets set status = 'closed' returning id`).map(({ id }) =>
          id
        );
        assertEquals(changed.includes(own.id), ["manager", "admin"].includes(role), role);
        assertEquals(changed.includes(hidden.id), ["admin", "saps_liaison"].includes(role), role);
        assertEquals(changed.includes(foreign.id), false, `${role} changes another municipality's ticket`);
      });
    }
  });
}
