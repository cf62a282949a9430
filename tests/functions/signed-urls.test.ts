// What a signed URL is good for: how long, for which file, under which name, on which host.
import { signedUrl } from "../../functions/signed-url/index.ts";
import type { SignedUrl } from "../../shared/contracts.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotMatch,
  assertStringIncludes,
} from "../support/assert.ts";
import { type KnownFile, serviceFile, ticketFile } from "../support/files.ts";
import { assertRefused, callHandler, claimsOf, endOf, storesNothing, until } from "../support/functions.ts";
import { captureConsole, functionEnvironment } from "../support/handlers.ts";
import { makeTicket, ok, person, service, sha256 } from "../support/stack.ts";
import { assertSameTime, assertUrlOf, byId, byPath, fetchHash, sign } from "./signing.ts";

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
