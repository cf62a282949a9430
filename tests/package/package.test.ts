// The package as its users get it: installed from its tarball into a stock Vite app and a stock Next app, each built with the
// tsconfig it comes with; the component is the README's, in the Vite app live in Chromium under React's StrictMode.
import { launchChromium } from "../browser/support/chromium.ts";
import { SCRATCH } from "../browser/support/scratch.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { serveDashboard } from "../../local/dashboard.ts";
import {
  makeTicket,
  MUNICIPALITIES,
  ok,
  PASSWORD,
  PUBLISHABLE_KEY,
  service,
  URL_BASE,
} from "../support/stack.ts";

const root = new URL("../../", import.meta.url).pathname;
const apps = `${SCRATCH}/package`;
const app = `${apps}/app`;

async function run(cwd: string, ...command: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command[0]!, {
    args: command.slice(1),
    cwd,
    stdin: "null",
    env: {
      NO_COLOR: "1",
      NEXT_TELEMETRY_DISABLED: "1",
      npm_config_audit: "false",
      npm_config_fund: "false",
      npm_config_prefer_offline: "true",
    },
  }).output();
  const said = new TextDecoder().decode(stdout);
  const complained = new TextDecoder().decode(stderr);
  if (!success) throw new Error(`${command.join(" ")}\n${said}\n${complained}`);
  return `${complained}\n${said}`.trim();
}

let packed: Promise<string> | undefined;
const tarball = () =>
  packed ??= run(root, Deno.execPath(), "run", "-A", "client/pack.ts").then((said) =>
    said.split("\n").at(-1)!
  );

const write = (path: string, text: string) => Deno.writeTextFile(path, text);

const [, component] = /```tsx\n([\s\S]*?)```/.exec(await Deno.readTextFile(`${root}client/README.md`))!;
const CLIENT = `import { createClient } from "@supabase/supabase-js";
import type { Database } from "citizen-evidence-client";
export const supabase = createClient<Database>(${JSON.stringify(URL_BASE)}, ${
  JSON.stringify(PUBLISHABLE_KEY)
});
`;
/** All that the package has, as a strict compiler sees it used. */
const USES = `"use client";
import { useEffect, useState } from "react";
import { EvidenceError, signedUrls, subscribeToTickets, uploadEvidence, type TicketWindow } from "citizen-evidence-client";
import { makeBundle } from "citizen-evidence-client/bundle";
import { useEvidenceUpload, useSignedUrl, useTicket, useTicketCounts } from "citizen-evidence-client/react";
import { supabase } from "./supabase";

export function Details({ id }: { id: string }) {
  const { ticket, messages = [], files = [], isGone } = useTicket(supabase, id);
  const { url } = useSignedUrl(supabase, files[0]?.file_id, { download: true });
  const { upload, progress, error } = useEvidenceUpload(supabase);
  const { counts } = useTicketCounts(supabase);
  if (isGone) return <p>gone</p>;
  return (
    <form onSubmit={() => void upload(new File([], "a.jpg"), { purpose: "evidence", ticketId: id })}>
      <h2>{ticket?.tracking_number}</h2>
      {messages.map(({ message_sid, body }) => <p key={message_sid}>{body}</p>)}
      <p>{counts.find(({ status }) => status === "escalated")?.tickets ?? 0} escalated</p>
      <a href={url}>{progress}{error instanceof EvidenceError && error.code}</a>
    </form>
  );
}

export async function save(id: string, place: WritableStream<Uint8Array>): Promise<string> {
  const { filename, stream } = await makeBundle(supabase, id, { requestedBy: "the court", messages: "words" });
  await stream.pipeTo(place);
  return filename;
}

export function Plain({ municipality, window }: { municipality: string; window: TicketWindow }) {
  const [count, setCount] = useState(0);
  useEffect(() => {
    const list = subscribeToTickets(supabase, municipality, { onChange: (_, tickets) => setCount(tickets.length) }, window);
    return () => void list.close();
  }, [municipality, window]);
  return <button onClick={() => void signedUrls(supabase, []).then(() => uploadEvidence)}>{count}</button>;
}
`;

Deno.test("the tarball: a stock Vite app builds with it, and its list is live", async () => {
  await Deno.mkdir(apps, { recursive: true });
  await run(
    apps,
    "npm",
    "create",
    "--yes",
    "vite@9.3.0",
    "app",
    "--",
    "--template",
    "react-ts",
    "--no-interactive",
  );
  await run(app, "npm", "pkg", "delete", "devDependencies.oxlint");
  await run(app, "npm", "install", "@supabase/supabase-js@2.119.1", `${root}${await tarball()}`);
  await write(`${app}/src/supabase.ts`, CLIENT);
  await write(`${app}/src/Tickets.tsx`, component!);
  await write(`${app}/src/Uses.tsx`, USES);
  await write(
    `${app}/src/App.tsx`,
    `import { useState } from "react";
import { supabase } from "./supabase";
import { Tickets } from "./Tickets";
import { Details } from "./Uses";

await supabase.auth.signInWithPassword({ email: "manager@mbombela.test", password: ${
      JSON.stringify(PASSWORD)
    } });

export default function App() {
  const [id, setId] = useState("");
  return (
    <>
      <Tickets municipalityId="${MUNICIPALITIES.mbombela.id}" />
      <input aria-label="id" onChange={(event) => setId(event.target.value)} />
      {id && <Details id={id} />}
    </>
  );
}
`,
  );
  await run(app, "npm", "run", "build");

  const { tracking_number, id } = await newTicket();
  const server = serveDashboard(`${app}/dist`, 0);
  const browser = await launchChromium("");
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(15_000);
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(server.url);
    await page.getByText(`${tracking_number}: open`).waitFor();
    await ok(service.from("tickets").update({ status: "escalated" }).eq("id", id).select());
    await page.getByText(`${tracking_number}: escalated`).waitFor();
    await page.getByLabel("id").fill(id);
    await page.getByRole("heading", { name: tracking_number }).waitFor();
    const escalated = async () =>
      (await ok(
        service.from("tickets").select("id").eq("status", "escalated").eq("is_sensitive", false)
          .eq("tenant_id", MUNICIPALITIES.mbombela.id),
      )).length;
    await page.getByText(`${await escalated()} escalated`, { exact: true }).waitFor();
    await ok(service.from("tickets").update({ status: "open" }).eq("id", id).select());
    await page.getByText(`${await escalated()} escalated`, { exact: true }).waitFor();
    assertEquals(complaints, []);
  } finally {
    await browser.close();
    await server.stop();
  }
});

Deno.test("a stock Next app builds with it", async () => {
  await run(
    apps,
    "npx",
    "--yes",
    "create-next-app@16.4.3",
    "next",
    "--yes",
    "--ts",
    "--app",
    "--src-dir",
    "--no-linter",
    "--no-tailwind",
    "--use-npm",
    "--skip-install",
    "--disable-git",
  );
  const next = `${apps}/next`;
  await run(next, "npm", "install", "@supabase/supabase-js@2.119.1", `${root}${await tarball()}`);
  const source = `${next}/src/app`;
  await write(`${source}/supabase.ts`, CLIENT);
  await write(`${source}/Tickets.tsx`, `"use client";\n${component}`);
  await write(`${source}/Uses.tsx`, USES);
  // the stock one fetches its fonts from Google
  await write(
    `${source}/layout.tsx`,
    `export default function Layout({ children }: LayoutProps<"/">) {
  return <html lang="en"><body>{children}</body></html>;
}
`,
  );
  await write(
    `${source}/page.tsx`,
    `import { Tickets } from "./Tickets";
import { Details, Plain } from "./Uses";

const window = { limit: 5 };
export default function Page() {
  return <main><Tickets municipalityId="m" /><Details id="t" /><Plain municipality="m" window={window} /></main>;
}
`,
  );
  const said = await run(next, "npm", "run", "build");
  assert(/Finished TypeScript/.test(said) && /○ \/\s/.test(said), said);
});

async function newTicket(): Promise<{ id: string; tracking_number: string }> {
  const { id } = await makeTicket("mbombela");
  return await ok(service.from("tickets").select("id, tracking_number").eq("id", id).single());
}

Deno.test("JSR would take it", async () => {
  await tarball();
  const said = await run(`${root}dist/jsr`, Deno.execPath(), "publish", "--dry-run", "--allow-dirty");
  assert(said.includes("Dry run complete"), said);
});

Deno.test("the package brings no zod, and is small", async () => {
  let size = 0;
  const parts = [...Deno.readDirSync(`${root}dist/client`)].map(({ name }) => name)
    .filter((name) => name.endsWith(".js")).map((name) => name.slice(0, -3));
  assert(parts.includes("bundle"), parts.join());
  assert(
    (await Deno.readTextFile(`${root}dist/client/bundle.js`)).includes("Verify this bundle"),
    "it brings no page that verifies",
  );
  for (const name of parts.filter((name) => name !== "bundle")) {
    const code = await Deno.readFile(`${root}dist/client/${name}.js`);
    assert(!/from "zod/.test(new TextDecoder().decode(code)), `${name} imports zod`);
    const zipped = new Blob([code]).stream().pipeThrough(new CompressionStream("gzip"));
    size += (await new Response(zipped).arrayBuffer()).byteLength;
  }
  assert(size < 25_000, `${size} bytes gzipped`);
});
