// The access table through the functions, for every role of both municipalities; and what handing a file out leaves
// behind: a record of each URL of GBV evidence, and a URL that is no longer good than it says.
import { signedUrl } from "../../functions/signed-url/index.ts";
import { uploadUrl } from "../../functions/upload-url/index.ts";
import type { Bucket, SignedUrl, SignedUrlRefusal } from "../../shared/contracts.ts";
import { BUCKETS, MAY_READ, MAY_UPLOAD, SEE_SENSITIVE } from "../support/access.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotMatch,
  assertStringIncludes,
} from "../support/assert.ts";
import { announce, type KnownFile, ownFile, serviceFile, ticketFile } from "../support/files.ts";
import {
  type Answer,
  assertRefused,
  call,
  callHandler,
  claimsOf,
  database,
  endOf,
  storesNothing,
  until,
  uploadRequest,
  visible,
} from "../support/functions.ts";
import { captureConsole, functionEnvironment } from "../support/handlers.ts";
import {
  everybody,
  makeTicket,
  MUNICIPALITIES,
  ok,
  type Person,
  person,
  ROLES,
  sample,
  service,
  sha256,
  type Slug,
  SLUGS,
} from "../support/stack.ts";

const MiB = 1024 * 1024;

const BUCKET_OF = {
  evidence: "evidence",
  documents: "documents",
  proof_of_residence: "documents",
  "gbv-evidence": "gbv-evidence",
} as const satisfies Record<string, Bucket>;
const PURPOSES = Object.keys(BUCKET_OF) as (keyof typeof BUCKET_OF)[];

const MAX_BYTES: Record<Bucket, number> = {
  "evidence": 50 * MiB,
  "documents": 10 * MiB,
  "gbv-evidence": 50 * MiB,
};

const nameOf = ({ role, slug }: Person) => `${role} of ${slug}`;

function recordOf(fileId: string) {
  return ok(service.from("media_attachments").select("*").eq("file_id", fileId).single());
}

/** At about the same time: a busy machine takes its time. */
function assertSameTime(actual: string | number, expected: string | number, what: string): void {
  const apart = Math.abs(new Date(actual).getTime() - new Date(expected).getTime());
  assert(apart <= 60_000, `${what}: ${apart} ms apart`);
}

// Uploading -----------------------------------------------------------------------------------------------------------

async function uploadBy(who: Person, purpose: string, bucket: Bucket, ticketId?: string): Promise<void> {
  const blob = sample();
  const body = uploadRequest({ purpose, file_size: blob.size, ticket_id: ticketId });
  const answer = await call("upload-url", { token: who.token, body });
  assertEquals(answer.status, 200, `${nameOf(who)}, ${purpose}: ${answer.text}`);
  const slot = answer.body;
  assertEquals(
    Object.keys(slot).sort(),
    ["bucket", "expires_at", "file_id", "max_bytes", "path", "signed_url", "token"],
  );
  assertEquals(slot.bucket, bucket);
  assertEquals(slot.path, `${who.tenant}/${slot.file_id}/photo.jpg`);
  assertEquals(slot.max_bytes, MAX_BYTES[bucket]);
  assertStringIncludes(slot.signed_url, `token=${slot.token}`);
  assertEquals(claimsOf(slot.token).upsert ?? false, false, "the token would replace a file");
  assertSameTime(slot.expires_at, Number(claimsOf(slot.token).exp) * 1000, "the upload's end");

  const announced = {
    tenant_id: who.tenant,
    ticket_id: ticketId ?? null,
    bucket,
    path: slot.path,
    filename: "photo.jpg",
    content_type: "image/jpeg",
    file_size: blob.size,
    purpose,
    source: "web",
    created_by: who.userId,
  };
  assertHas(await recordOf(slot.file_id), { ...announced, status: "pending", stored_at: null });
  await ok(who.supabase.storage.from(slot.bucket).uploadToSignedUrl(slot.path, slot.token, blob));
  const record = await recordOf(slot.file_id);
  assertHas(record, { ...announced, status: "stored" });
  assertSameTime(record.stored_at, Date.now(), "the time of storing");
  const stored = await ok(service.storage.from(slot.bucket).download(slot.path));
  assertEquals(await sha256(stored), await sha256(blob));
}

function assertHas(record: Record<string, unknown>, expected: Record<string, unknown>): void {
  assertEquals(Object.fromEntries(Object.keys(expected).map((name) => [name, record[name]])), expected);
}

for (const purpose of PURPOSES) {
  const bucket = BUCKET_OF[purpose];

  Deno.test(`a file for ${purpose} goes to ${bucket}, for those who may upload there and nobody else`, async () => {
    const people = await everybody();
    const may = (who: Person) => MAY_UPLOAD[bucket].includes(who.role);
    await Promise.all(people.filter(may).map((who) => uploadBy(who, purpose, bucket)));
    await storesNothing(async () => {
      for (const who of people.filter((who) => !may(who))) {
        const answer = await call("upload-url", { token: who.token, body: uploadRequest({ purpose }) });
        assertRefused(answer, "forbidden", nameOf(who));
      }
    });
  });
}

for (const slug of SLUGS) {
  Deno.test(`${slug}: files on an ordinary ticket are uploaded by staff and by the citizen who reported it`, async () => {
    const citizen = await person("citizen", slug);
    const own = await makeTicket(slug, { reporter_id: citizen.userId });
    const others = await makeTicket(slug);
    for (const who of (await everybody()).filter((who) => who.slug === slug)) {
      await uploadBy(who, "evidence", "evidence", own.id);
    }
    await storesNothing(async () => {
      const body = uploadRequest({ ticket_id: others.id });
      assertRefused(await call("upload-url", { token: citizen.token, body }), "not_found");
    });
  });

  Deno.test(`${slug}: a sensitive ticket sends every upload to gbv-evidence, and exists for police liaison and admins only`, async () => {
    const citizen = await person("citizen", slug);
    const ticket = await makeTicket(slug, {
      category: "gbv",
      is_sensitive: true,
      description: null,
      reporter_id: citizen.userId,
    });
    for (const who of await everybody()) {
      const sees = who.slug === slug && SEE_SENSITIVE.includes(who.role);
      if (sees) {
        for (const purpose of PURPOSES) await uploadBy(who, purpose, "gbv-evidence", ticket.id);
        continue;
      }
      await storesNothing(async () => {
        const [hidden, unknown] = await Promise.all(
          [ticket.id, crypto.randomUUID()].map((ticket_id) =>
            call("upload-url", {
              token: who.token,
              body: uploadRequest({ purpose: "gbv-evidence", ticket_id }),
            })
          ),
        );
        assertRefused(hidden!, "not_found", nameOf(who));
        assertEquals(
          visible(hidden!),
          visible(unknown!),
          `${nameOf(who)} can tell a hidden ticket from none`,
        );
      });
    }
  });
}

Deno.test("upload-url gives URLs on PUBLIC_SUPABASE_URL", async () => {
  const { token } = await person("citizen");
  const handler = uploadUrl(functionEnvironment({ PUBLIC_SUPABASE_URL: "https://evidence.example.org/" }));
  await captureConsole(async () => {
    const { body, status } = await callHandler(handler, { token, body: uploadRequest() });
    assertEquals(status, 200);
    assertStringIncludes(
      body.signed_url,
      `https://evidence.example.org/storage/v1/object/upload/sign/evidence/${body.path}?`,
    );
  });
  const { body } = await call("upload-url", { token, body: uploadRequest() });
  assertEquals(new URL(body.signed_url).origin, new URL(Deno.env.get("PUBLIC_SUPABASE_URL")!).origin);
});

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

const byId = ({ fileId }: KnownFile) => ({ file_id: fileId });
const byPath = ({ bucket, path }: KnownFile) => ({ bucket, path });

function sign(who: Person, body: Record<string, unknown>): Promise<Answer> {
  return call("signed-url", { token: who.token, body });
}

function assertUrlOf(given: SignedUrl, file: KnownFile, what: string): void {
  const { signed_url, expires_at, ...rest } = given;
  assertEquals(rest, { bucket: file.bucket, path: file.path, file_id: file.fileId }, what);
  const url = new URL(signed_url);
  assertEquals(url.origin, new URL(Deno.env.get("PUBLIC_SUPABASE_URL")!).origin, what);
  assertEquals(url.pathname, `/storage/v1/object/sign/${file.bucket}/${file.path}`, what);
  assertSameTime(expires_at, endOf(signed_url), `${what}: expires_at`);
}

async function fetchHash(url: string): Promise<string> {
  const response = await fetch(url);
  const bytes = await response.bytes() as Uint8Array<ArrayBuffer>;
  assertEquals(response.status, 200, new TextDecoder().decode(bytes.subarray(0, 300)));
  return await sha256(bytes);
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

Deno.test("a URL is good for an hour unless told otherwise and a day at most; one of GBV evidence 5 minutes and 15", async () => {
  const admin = await person("admin");
  const ordinary = await serviceFile("documents", "mbombela");
  const ticket = await makeTicket("mbombela");
  const turned = await ticketFile(admin, ticket.id);
  await ok(service.from("tickets").update({ is_sensitive: true }).eq("id", ticket.id).select());
  const gbv = [await serviceFile("gbv-evidence", "mbombela"), turned];

  const given = async (file: KnownFile, expires_in: number | undefined, expected: number) => {
    const answer = await sign(admin, { ...byId(file), expires_in });
    assertEquals(answer.status, 200, answer.text);
    assertUrlOf(answer.body, file, `${file.bucket}, ${expires_in}`);
    assertSameTime(
      endOf(answer.body.signed_url),
      Date.now() + expected * 1000,
      `${file.bucket}, ${expires_in}`,
    );
  };
  await given(ordinary, undefined, 3600);
  await given(ordinary, 1, 1);
  await given(ordinary, 901, 901);
  await given(ordinary, 86_400, 86_400);
  for (const file of gbv) {
    await given(file, undefined, 300);
    await given(file, 1, 1);
    await given(file, 900, 900);
  }

  await storesNothing(async () => {
    assertRefused(await sign(admin, { ...byId(ordinary), expires_in: 86_401 }), "invalid_request");
    for (const file of gbv) {
      assertRefused(await sign(admin, { ...byId(file), expires_in: 901 }), "invalid_request");
      assertRefused(await sign(admin, { ...byPath(file), expires_in: 86_400 }), "invalid_request");
      const mixed = await sign(admin, { files: [byId(file), byId(ordinary)], expires_in: 901 });
      assertEquals(mixed.body.files[0].error?.code, "invalid_request");
      assertUrlOf(mixed.body.files[1], ordinary, "beside a refusal");
    }
  });
});

Deno.test("who may not see a GBV file learns nothing from asking for it too long", async () => {
  const manager = await person("manager");
  const file = await serviceFile("gbv-evidence", "mbombela");
  assertRefused(await sign(manager, { ...byId(file), expires_in: 901 }), "not_found");
});

for (const bucket of ["evidence", "gbv-evidence"] as const) {
  Deno.test(`a signed URL in ${bucket} stops at its end`, async () => {
    const admin = await person("admin");
    const file = await serviceFile(bucket, "mbombela");
    const { body: short } = await sign(admin, { ...byId(file), expires_in: 1 });
    const { body: long } = await sign(admin, { ...byId(file), expires_in: 60 });
    const end = endOf(short.signed_url);
    assert(end <= Date.now() + 1000, "it is good for longer than a second");
    await until("the URL's end", () => Date.now() > end + 50, 3000);
    const late = await fetch(short.signed_url);
    assertNotMatch(await late.text(), /JFIF/);
    assertEquals(late.status, 400);
    assertEquals(await fetchHash(long.signed_url), await sha256(file.blob));
  });
}

Deno.test("a signed URL cannot be turned into one of another file, nor made to last", async () => {
  const admin = await person("admin");
  const [mine, other] = [
    await serviceFile("evidence", "mbombela"),
    await serviceFile("gbv-evidence", "mbombela"),
  ];
  const { body } = await sign(admin, byId(mine));
  const token = new URL(body.signed_url).searchParams.get("token")!;
  const [head, payload, signature] = token.split(".");
  const longer = btoa(JSON.stringify({ ...claimsOf(token), exp: 4102444800 })).replaceAll("=", "");
  for (
    const url of [
      body.signed_url.replace(`${mine.bucket}/${mine.path}`, `${other.bucket}/${other.path}`),
      body.signed_url.replace(payload!, longer.replaceAll("+", "-").replaceAll("/", "_")),
      body.signed_url.replace(`${head}.${payload}.${signature}`, `${head}.${payload}.`),
    ]
  ) {
    const response = await fetch(url);
    await response.body?.cancel();
    assertEquals(response.status, 400);
  }
});

Deno.test("download makes an attachment, under the stored name or any Unicode one, for one file and for many", async () => {
  const admin = await person("admin");
  const files = [await serviceFile("evidence", "mbombela"), await serviceFile("gbv-evidence", "mbombela")];
  const disposition = async ({ signed_url }: SignedUrl) => {
    const response = await fetch(signed_url);
    await response.body?.cancel();
    assertEquals(response.status, 200);
    return response.headers.get("content-disposition") ?? "";
  };
  const unicode = "Foto’s – môre & 100% 水管 📷.jpg";
  for (
    const [download, expected] of [
      [undefined, /^(?!attachment)/],
      [false, /^(?!attachment)/],
      [true, /^attachment/],
      ["bewys van adres.jpg", /^attachment;.*filename\*=UTF-8''bewys%20van%20adres\.jpg/],
      [unicode, new RegExp(`^attachment;.*filename\\*=UTF-8''${encodeURIComponent(unicode)}`)],
    ] as const
  ) {
    for (const file of files) {
      const { body } = await sign(admin, { ...byId(file), download });
      assertMatch(await disposition(body), expected, `${file.bucket}, ${download}`);
    }
    const { body } = await sign(admin, {
      files: files.flatMap((file) => [byId(file), byPath(file)]),
      download,
    });
    for (const given of body.files) assertMatch(await disposition(given), expected, `many, ${download}`);
  }
});

Deno.test("signed-url gives URLs on PUBLIC_SUPABASE_URL", async () => {
  const { token } = await person("admin");
  const handler = signedUrl(functionEnvironment({ PUBLIC_SUPABASE_URL: "https://evidence.example.org" }));
  const files = [await serviceFile("evidence", "mbombela"), await serviceFile("gbv-evidence", "mbombela")];
  await captureConsole(async () => {
    const { body, text } = await callHandler(handler, { token, body: { files: files.map(byId) } });
    assert(body.files, text);
    for (const [index, { bucket, path }] of files.entries()) {
      assertStringIncludes(
        body.files[index].signed_url,
        `https://evidence.example.org/storage/v1/object/sign/${bucket}/${path}?token=`,
      );
    }
  });
});
