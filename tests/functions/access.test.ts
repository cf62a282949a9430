// The access table through the functions, for every role of both municipalities; and what handing a file out leaves
// behind: a record of each URL of GBV evidence, and a URL that is no longer good than it says.
import type { Bucket, SignedUrl, SignedUrlRefusal } from "../../shared/contracts.ts";
import { BUCKETS, MAY_READ, SEE_SENSITIVE } from "../support/access.ts";
import { assert, assertEquals, assertNotMatch } from "../support/assert.ts";
import { announce, type KnownFile, ownFile, serviceFile, ticketFile } from "../support/files.ts";
import { type Answer, assertRefused, database, storesNothing, visible } from "../support/functions.ts";
import {
  makeTicket,
  MUNICIPALITIES,
  ok,
  type Person,
  person,
  ROLES,
  service,
  sha256,
  type Slug,
  SLUGS,
} from "../support/stack.ts";
import { assertUrlOf, byId, byPath, fetchHash, nameOf, sign } from "./signing.ts";

// Reading -------------------------------------------------------------------------------------------------------------

interface Case extends KnownFile {
  label: string;
  hash: string;
  gbv: boolean;
  /** Put there by a backend. */
  ofNobody: boolean;
  /** Who may read it. */
  readers: Person[];
}

/** A file of every kind in a municipality. */
async function filesOf(slug: Slug): Promise<Case[]> {
  const people = Object.fromEntries(
    await Promise.all(ROLES.map(async (role) => [role, await person(role, slug)])),
  ) as Record<typeof ROLES[number], Person>;
  const { citizen, manager, admin } = people;
  const inBucket = (bucket: Bucket) => MAY_READ[bucket].map((role) => people[role]);
  const sensitive = SEE_SENSITIVE.map((role) => people[role]);
  const cases: Case[] = [];
  const add = async (label: string, file: KnownFile, gbv: boolean, readers: Person[]) =>
    cases.push({
      ...file,
      label: `${label} of ${slug}`,
      ofNobody: label.startsWith("a backend"),
      hash: await sha256(file.blob),
      gbv,
      readers,
    });

  for (const bucket of BUCKETS) {
    const gbv = bucket === "gbv-evidence";
    await add(`a backend's file in ${bucket}`, await serviceFile(bucket, slug), gbv, inBucket(bucket));
  }
  for (const bucket of ["evidence", "documents"] as const) {
    const file = await ownFile(citizen, bucket);
    await add(`the citizen's own file in ${bucket}`, file, false, [...inBucket(bucket), citizen]);
  }
  await add("the manager's own GBV file", await ownFile(manager, "gbv-evidence"), true, sensitive);

  const reported = await makeTicket(slug, { reporter_id: citizen.userId });
  await add(
    "a manager's file on the citizen's ticket",
    await ticketFile(manager, reported.id),
    false,
    inBucket("evidence"),
  );

  const turned = await makeTicket(slug, { reporter_id: citizen.userId });
  const before = [
    await ticketFile(citizen, turned.id),
    await ticketFile(manager, turned.id, { purpose: "documents" }),
  ];
  await ok(service.from("tickets").update({ is_sensitive: true }).eq("id", turned.id).select());
  for (const file of before) {
    await add(`a file in ${file.bucket} on a ticket turned sensitive`, file, true, sensitive);
  }
  await add("a file on a sensitive ticket", await ticketFile(admin, turned.id), true, sensitive);
  return cases;
}

const allFiles = new Map<Slug, Promise<Case[]>>();

/** Of both municipalities; made once, never changed by a test. */
async function everyFile(): Promise<Case[]> {
  for (const slug of SLUGS) if (!allFiles.has(slug)) allFiles.set(slug, filesOf(slug));
  return (await Promise.all(allFiles.values())).flat();
}

/** Rows of the access log made by a request. */
async function accesses(answer: Answer) {
  return await ok(
    service.from("evidence_access_log")
      .select("tenant_id, file_id, user_id, user_role, expires_in, request_id")
      .eq("request_id", answer.headers.get("x-request-id")!).order("accessed_at"),
  );
}

for (const role of ROLES) {
  Deno.test(`${role}: asks for each file alone, by file_id, and of every bucket by bucket and path`, async () => {
    const files = await everyFile();
    for (const slug of SLUGS) {
      const who = await person(role, slug);
      for (const file of files) {
        const allowed = file.readers.includes(who);
        for (const body of file.ofNobody ? [byId(file), byPath(file)] : [byId(file)]) {
          const what = `${nameOf(who)}, ${file.label}, by ${Object.keys(body)}`;
          const answer = await sign(who, body);
          if (allowed) {
            assertEquals(answer.status, 200, `${what}: ${answer.text}`);
            assertUrlOf(answer.body, file, what);
          } else {
            assertRefused(answer, "not_found", what);
          }
        }
      }
    }
  });

  Deno.test(`${role}: asks for a batch of mixed files, gets it in order with refusals in place, each GBV URL recorded`, async () => {
    const files = await everyFile();
    for (const slug of SLUGS) {
      const who = await person(role, slug);
      const wanted: (Case | undefined)[] = [undefined, ...files, ...files.toReversed(), undefined];
      const references = wanted.map((file, index) =>
        !file ? { file_id: crypto.randomUUID() } : index % 2 ? byId(file) : byPath(file)
      );
      const answer = await sign(who, { files: references });
      assertEquals(answer.status, 200, answer.text);
      const given: (SignedUrl | SignedUrlRefusal)[] = answer.body.files;
      assertEquals(given.length, wanted.length);

      const recorded: unknown[] = [];
      for (const [index, file] of wanted.entries()) {
        const what = `${nameOf(who)}, place ${index}, ${file?.label ?? "no file"}`;
        const item = given[index]!;
        if (!file?.readers.includes(who)) {
          assertEquals(item, given[0], what);
          assertEquals((item as SignedUrlRefusal).error.code, "not_found", what);
          continue;
        }
        assert(!("error" in item), what);
        assertUrlOf(item, file, what);
        if (index <= files.length) assertEquals(await fetchHash(item.signed_url), file.hash, what);
        if (!file.gbv) continue;
        recorded.push({
          tenant_id: who.tenant,
          file_id: file.fileId,
          user_id: who.userId,
          user_role: role,
          expires_in: 300,
          request_id: answer.headers.get("x-request-id"),
        });
      }
      assertEquals(await accesses(answer), recorded, nameOf(who));
    }
  });
}

Deno.test("not found and not allowed look the same, and leave no record", async () => {
  const citizen = await person("citizen");
  const manager = await person("manager");
  const ticket = await makeTicket("mbombela");
  const turned = await ticketFile(manager, ticket.id);
  await ok(service.from("tickets").update({ is_sensitive: true }).eq("id", ticket.id).select());
  const announced = await announce(citizen);
  const hidden: [string, Record<string, unknown>][] = [
    ["a GBV file", byId(await serviceFile("gbv-evidence", "mbombela"))],
    ["a GBV file, by path", byPath(await serviceFile("gbv-evidence", "mbombela"))],
    ["a file of a sensitive ticket", byId(turned)],
    ["another municipality's file", byId(await serviceFile("evidence", "polokwane"))],
    ["another municipality's file, by path", byPath(await serviceFile("documents", "polokwane"))],
    ["a file announced and never uploaded", { file_id: announced.file_id }],
    ["the same by its path", { bucket: announced.bucket, path: announced.path }],
    ["a path of no file", { bucket: "evidence", path: `${citizen.tenant}/none` }],
    ["a path out of the folder", { bucket: "evidence", path: `${citizen.tenant}/../${citizen.tenant}` }],
    ["a file under another bucket", {
      ...byPath(await serviceFile("evidence", "mbombela")),
      bucket: "documents",
    }],
  ];
  await storesNothing(async () => {
    for (const who of [citizen, manager]) {
      const unknown = await sign(who, { file_id: crypto.randomUUID() });
      assertRefused(unknown, "not_found");
      for (const [what, body] of hidden) {
        assertEquals(visible(await sign(who, body)), visible(unknown), `${what}, ${nameOf(who)}`);
      }
    }
  });
});

for (const slug of SLUGS) {
  Deno.test(`${slug}: each URL of GBV evidence has a record saying who, as what, for how long and by which request`, async () => {
    const inBucket = await serviceFile("gbv-evidence", slug);
    const ticket = await makeTicket(slug);
    const byTicket = await ticketFile(await person("manager", slug), ticket.id, { purpose: "documents" });
    await ok(service.from("tickets").update({ is_sensitive: true }).eq("id", ticket.id).select());
    const ordinary = await serviceFile("evidence", slug);

    for (const role of SEE_SENSITIVE) {
      const who = await person(role, slug);
      const row = (file: KnownFile, seconds: number, answer: Answer) => ({
        tenant_id: MUNICIPALITIES[slug].id,
        file_id: file.fileId,
        user_id: who.userId,
        user_role: role,
        expires_in: seconds,
        request_id: answer.headers.get("x-request-id"),
      });
      for (const file of [inBucket, byTicket]) {
        const usual = await sign(who, byId(file));
        assertEquals(await accesses(usual), [row(file, 300, usual)]);
        const shorter = await sign(who, { ...byPath(file), expires_in: 30 });
        assertEquals(await accesses(shorter), [row(file, 30, shorter)]);
      }
      const twice = await sign(who, { files: [byId(inBucket), byId(ordinary), byPath(inBucket)] });
      assertEquals(await accesses(twice), [row(inBucket, 300, twice), row(inBucket, 300, twice)]);
      assertEquals(await accesses(await sign(who, byId(ordinary))), []);
    }
  });
}

Deno.test("a URL of GBV evidence whose record cannot be written is not made", async () => {
  const admin = await person("admin");
  const file = await serviceFile("gbv-evidence", "mbombela");
  const ordinary = await serviceFile("evidence", "mbombela");
  await database(async (sql) => {
    await sql`alter table public.custody_records add constraint broken_by_a_test check (false) not valid`;
    try {
      for (const body of [byId(file), byPath(file), { files: [byId(ordinary), byId(file)] }]) {
        const answer = await sign(admin, body);
        assertRefused(answer, "internal");
        assertNotMatch(answer.text, /token=|object\/sign/);
      }
      assertEquals((await sign(admin, byId(ordinary))).status, 200);
    } finally {
      await sql`alter table public.custody_records drop constraint broken_by_a_test`;
    }
  });
  assertEquals((await sign(admin, byId(file))).status, 200);
});
