// uploadEvidence, through the functions and Storage; and its progress, through a pretend XMLHttpRequest.
import { EvidenceError, uploadEvidence } from "../../client/mod.ts";
import { assertEquals, assertGreater, assertRejects } from "../support/assert.ts";
import { makeTicket, ok, person, sample, service, sha256 } from "../support/stack.ts";
import { newClient, quiet } from "./support.ts";

const jpeg = (name: string, size = 2000) =>
  new File([sample("image/jpeg", size)], name, { type: "image/jpeg" });

async function refusal(work: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => work, EvidenceError)).code;
}

Deno.test("a file on a ticket: stored where the answer says, byte for byte, with the hash taken here", async () => {
  const manager = await person("manager");
  const { id } = await makeTicket("mbombela");
  const file = jpeg("Straße №1.jpg", 300_000);
  const fractions: number[] = [];
  const stored = await uploadEvidence(manager.supabase, file, {
    purpose: "evidence",
    ticketId: id,
    onProgress: (fraction) => fractions.push(fraction),
  });
  assertEquals(stored.sha256, await sha256(file));
  assertEquals(fractions, [0, 1]);
  const row = await ok(
    service.from("media_attachments").select("bucket, path, filename, status, ticket_id, declared_sha256")
      .eq("file_id", stored.file_id).single(),
  );
  assertEquals(row, {
    bucket: stored.bucket,
    path: stored.path,
    filename: file.name,
    status: "stored",
    ticket_id: id,
    declared_sha256: stored.sha256,
  });
  const bytes = await ok(manager.supabase.storage.from(stored.bucket).download(stored.path));
  assertEquals(await sha256(bytes), stored.sha256);
});

Deno.test("a recording without a name, its type with parameters; a file whose type the browser does not know", async () => {
  const { supabase } = await person("citizen");
  for (
    const file of [
      new Blob(["OggS", crypto.getRandomValues(new Uint8Array(500))], { type: "audio/ogg; codecs=opus" }),
      new File([sample()], "IMG_1.HEIC"),
    ]
  ) {
    const { file_id } = await uploadEvidence(supabase, file, { purpose: "evidence" });
    const row = await ok(
      service.from("media_attachments").select("content_type, status").eq("file_id", file_id).single(),
    );
    assertEquals(row, { content_type: file instanceof File ? "image/heic" : "audio/ogg", status: "stored" });
  }
});

Deno.test("what is refused has a stable code", async () => {
  const [citizen, manager] = [await person("citizen"), await person("manager")];
  const evidence = { purpose: "evidence" } as const;
  assertEquals(
    await refusal(uploadEvidence(citizen.supabase, jpeg("a.jpg"), { purpose: "gbv-evidence" })),
    "forbidden",
  );
  assertEquals(await refusal(uploadEvidence(newClient(), jpeg("a.jpg"), evidence)), "unauthorized");
  assertEquals(
    await refusal(
      uploadEvidence(manager.supabase, jpeg("a.jpg"), { ...evidence, ticketId: crypto.randomUUID() }),
    ),
    "not_found",
  );
  assertEquals(
    await refusal(
      uploadEvidence(manager.supabase, new File(["x"], "a.html", { type: "text/html" }), evidence),
    ),
    "unsupported_media_type",
  );
  assertEquals(
    await refusal(
      uploadEvidence(manager.supabase, jpeg("a.jpg", 11 * 1024 * 1024), { purpose: "documents" }),
    ),
    "payload_too_large",
  );
  const error = await assertRejects(
    () => uploadEvidence(manager.supabase, jpeg("a/b.jpg"), evidence),
    EvidenceError,
  );
  assertEquals([error.code, error.details[0]?.path], ["invalid_request", "filename"]);
});

Deno.test("unreachable functions and a failing Storage have codes too", async () => {
  const { token } = await person("manager");
  const failing = (place: string, fail: () => Promise<Response>) => ({
    accessToken: () => Promise.resolve(token),
    global: {
      fetch: (input: string | URL | Request, init?: RequestInit) =>
        String(input).includes(place) ? fail() : fetch(input, init),
    },
  });
  const evidence = { purpose: "evidence" } as const;
  const offline = newClient(failing("/functions/", () => Promise.reject(new TypeError("offline"))));
  assertEquals(await refusal(uploadEvidence(offline, jpeg("a.jpg"), evidence)), "unreachable");

  const real = globalThis.fetch;
  const online = newClient(failing("nowhere", fetch as never));
  const answers: [number, string, string][] = [
    [400, '{"statusCode":"413","error":"Payload too large","message":"too large"}', "payload_too_large"],
    [400, '{"statusCode":"403","error":"Unauthorized","message":"jwt expired"}', "forbidden"],
    [502, "<html>Bad gateway</html>", "storage_unavailable"],
  ];
  try {
    for (const [status, text, code] of answers) {
      globalThis.fetch = (input, init) =>
        String(input).includes("/object/upload/sign/") && init?.method === "PUT"
          ? Promise.resolve(new Response(text, { status }))
          : real(input, init);
      assertEquals(await refusal(uploadEvidence(online, jpeg("a.jpg"), evidence)), code);
    }
  } finally {
    globalThis.fetch = real;
  }
});

Deno.test("aborting rejects with the signal's reason, before and during the upload", async () => {
  const { supabase } = await person("manager");
  const early = AbortSignal.abort(new Error("changed my mind"));
  await assertRejects(
    () => uploadEvidence(supabase, jpeg("a.jpg"), { purpose: "evidence", signal: early }),
    Error,
    "changed",
  );
  const controller = new AbortController();
  const uploading = uploadEvidence(supabase, jpeg("a.jpg", 30_000_000), {
    purpose: "evidence",
    signal: controller.signal,
    onProgress: () => controller.abort(),
  });
  assertEquals((await assertRejects(() => uploading)).name, "AbortError");
});

/** As much of XMLHttpRequest as an upload needs, over fetch; tells progress in four steps. */
class PretendXhr {
  upload: { onprogress?: (event: unknown) => void } = {};
  status = 0;
  responseText = "";
  onload = () => {};
  onerror = () => {};
  onabort = () => {};
  readonly #controller = new AbortController();
  readonly #headers = new Headers();
  #method = "";
  #url = "";
  open(method: string, url: string) {
    [this.#method, this.#url] = [method, url];
  }
  setRequestHeader(name: string, value: string) {
    this.#headers.set(name, value);
  }
  abort() {
    this.#controller.abort();
    this.onabort();
  }
  async send(body: FormData) {
    try {
      for (const loaded of [1, 2, 3, 4]) {
        this.upload.onprogress?.({ loaded, total: 4, lengthComputable: true });
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      const { signal } = this.#controller;
      if (signal.aborted) return;
      const response = await fetch(this.#url, { method: this.#method, headers: this.#headers, body, signal });
      this.status = response.status;
      this.responseText = await response.text();
      this.onload();
    } catch {
      this.onerror();
    }
  }
}

Deno.test({
  name: "where there is XMLHttpRequest, progress grows and ends with 1, and aborting works",
  ...quiet,
  async fn() {
    const { supabase } = await person("manager");
    Object.assign(globalThis, { XMLHttpRequest: PretendXhr });
    try {
      const fractions: number[] = [];
      const onProgress = (fraction: number) => fractions.push(fraction);
      const { bucket, path } = await uploadEvidence(supabase, jpeg("a.jpg"), {
        purpose: "evidence",
        onProgress,
      });
      assertEquals(fractions, [0, 0.25, 0.5, 0.75, 0.99, 1]);
      await ok(supabase.storage.from(bucket).download(path));

      const controller = new AbortController();
      const uploading = uploadEvidence(supabase, jpeg("b.jpg"), {
        purpose: "evidence",
        signal: controller.signal,
        onProgress: (fraction) => fraction > 0.4 && controller.abort(new Error("enough")),
      });
      await assertRejects(() => uploading, Error, "enough");
    } finally {
      delete (globalThis as { XMLHttpRequest?: unknown }).XMLHttpRequest;
    }
  },
});

Deno.test("fifty megabytes are hashed and stored in reasonable time", async () => {
  const { supabase } = await person("manager");
  const file = jpeg("large.jpg", 50 * 1024 * 1024);
  const started = performance.now();
  const { sha256: hash } = await uploadEvidence(supabase, file, { purpose: "evidence" });
  assertEquals(hash, await sha256(file));
  assertGreater(10_000, performance.now() - started);
});
