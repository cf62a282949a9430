// Rules that no client comes to in the ordinary way: asked in the database itself, and everything is taken back.
import { assert, assertEquals } from "../support/assert.ts";
import { ownFile, serviceFile, ticketFile } from "../support/files.ts";
import { database } from "../support/functions.ts";
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
import { accepted, newSender, settled, ticketOf, twilio } from "../support/whatsapp.ts";
import { become, outcome, takenBack } from "./taken-back.ts";

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

// Who may act ----------------------------------------------------------------------------------------------------------

Deno.test("a message is moved to the ticket that was named, of all that its sender has", async () => {
  const { number } = MUNICIPALITIES.mbombela;
  const { supabase } = await person("manager");
  const from = newSender();
  const move = async (message_sid: string, ticket_id: string | null) =>
    await ok(supabase.rpc("move_message", { message_sid, ticket_id })) as string;
  const first = await accepted(from, number), second = await accepted(from, number);
  const bySms = await twilio.sendMessage({ from, to: number, body: "Again" });
  const targets = [await move(second.message_sid, null), (await ticketOf(bySms.message_sid)).id];
  for (const target of [...targets, ...targets.toReversed(), targets[1]!]) {
    if ((await ticketOf(first.message_sid)).id === target) continue;
    assertEquals(await move(first.message_sid, target), target);
    assertEquals((await ticketOf(first.message_sid)).id, target);
  }
  const { id } = await ticketOf(first.message_sid);
  const { error } = await supabase.rpc("move_message", { message_sid: first.message_sid, ticket_id: id });
  assertEquals(error?.message, "not_found", "to where it is");
});

Deno.test("messages are opened by a ticket or by 1 to 100 ids, not by both, and not by none", async () => {
  const { supabase } = await person("admin");
  const { message_sid } = await accepted(newSender(), MUNICIPALITIES.mbombela.number);
  const { id: ticket_id } = await ticketOf(message_sid);
  const open = async (which: Record<string, unknown>) =>
    (await supabase.rpc("open_messages", { request_id: "x", ...which })).error?.message;
  assertEquals(await open({ ticket_id }), undefined);
  assertEquals(await open({ message_sids: [message_sid] }), undefined);
  const many = Array<string>(101).fill(message_sid);
  for (
    const which of [{}, { ticket_id, message_sids: [message_sid] }, { message_sids: [] }, {
      message_sids: many,
    }]
  ) {
    assertEquals(await open(which), "invalid_request", JSON.stringify(which).slice(0, 80));
  }
});

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
