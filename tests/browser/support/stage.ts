/// <reference lib="dom" />
/** The built dashboard in a browser, and what is done in it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { buildDashboard, type Dashboard, serveDashboard } from "../../../local/dashboard.ts";
import { assert } from "../../support/assert.ts";
import { PASSWORD, PUBLISHABLE_KEY, type Role, ROLES, SECRET_KEY, URL_BASE } from "../../support/stack.ts";
import { launchChromium } from "./chromium.ts";
import { SCRATCH } from "./scratch.ts";

/** An origin that the functions allow; the browser is told where it really is, so that the port need not be free. */
export const ORIGIN = "http://localhost:5173";

export interface Stage {
  /** A page of its own browser profile, at the sign-in form. */
  visit(options?: BrowserContextOptions): Promise<Visit>;
  signIn(role: Role, options?: BrowserContextOptions): Promise<Visit>;
  close(): Promise<void>;
}

export interface Visit {
  page: Page;
  /** Every WebSocket frame so far, sent and received, text and binary. */
  frames(): string;
  /** Every HTTP response so far, with its address, headers and body. */
  responses(): Promise<string>;
  /** Every text that ever stood in the page, for however short a time. */
  everShown(): Promise<string>;
  /** What the browser complained of: exceptions, refused by the content security policy. */
  complaints: string[];
  leave(): Promise<void>;
}

export async function openStage(): Promise<Stage> {
  const directory = join(SCRATCH, "dashboard");
  if (!existsSync(directory)) {
    await buildDashboard({
      supabaseUrl: URL_BASE,
      publishableKey: PUBLISHABLE_KEY,
      directory,
      users: ROLES.map((role) => `${role}@mbombela.test`),
      password: PASSWORD,
    });
  }
  const dashboard: Dashboard = serveDashboard(directory, 0);
  const browser = await launchChromium(`MAP ${new URL(ORIGIN).host} ${new URL(dashboard.url).host}`);
  const stage: Stage = {
    visit: (options) => visit(browser, options),
    async signIn(role, options) {
      const visited = await stage.visit(options);
      await visited.page.getByLabel("Email").fill(`${role}@mbombela.test`);
      await visited.page.getByRole("button", { name: "Sign in" }).click();
      await isLive(visited.page);
      return visited;
    },
    async close() {
      await browser.close();
      await dashboard.stop();
    },
  };
  return stage;
}

async function visit(browser: Browser, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const frames: string[] = [];
  const responses: Promise<string>[] = [];
  const complaints: string[] = [];
  page.on("websocket", (socket) => {
    const take = ({ payload }: { payload: string | Uint8Array }) =>
      frames.push(typeof payload === "string" ? payload : new TextDecoder().decode(payload));
    socket.on("framereceived", take);
    socket.on("framesent", take);
  });
  page.on("response", (response) => {
    const head = `${response.url()} ${JSON.stringify(response.headers())}`;
    responses.push(response.text().then((body) => `${head} ${body}`, () => head));
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  await page.addInitScript(rememberText);
  await page.goto(ORIGIN);
  return {
    page,
    frames: () => frames.join("\n"),
    responses: async () => (await Promise.all(responses)).join("\n"),
    everShown: () => page.evaluate(() => Reflect.get(globalThis, "everShown").join("\n")),
    complaints,
    leave: () => context.close(),
  };
}

function rememberText(): void {
  const seen: string[] = [];
  Reflect.set(globalThis, "everShown", seen);
  new MutationObserver((changes) => {
    for (const { target, addedNodes } of changes) {
      if (target.nodeType === Node.TEXT_NODE) seen.push(target.textContent ?? "");
      for (const node of addedNodes) seen.push(node.textContent ?? "");
    }
  }).observe(document, { subtree: true, childList: true, characterData: true });
}

export async function isLive(page: Page): Promise<void> {
  await page.locator('.connection[data-state="live"]').waitFor();
}

/** A ticket's row in the list, by its number. */
export function row(page: Page, number: string) {
  return page.getByRole("list").getByRole("button").filter({ hasText: number });
}

/** Whether every picture among the open ticket's files has been decoded; there are so many. */
export async function picturesDecoded(page: Page, count: number): Promise<void> {
  await page.waitForFunction((count) => {
    const pictures = [...document.querySelectorAll<HTMLImageElement>(".files img")];
    return pictures.length === count &&
      pictures.every((picture) => picture.complete && picture.naturalWidth > 0);
  }, count);
}

/** The stand-in's Realtime: an outage, its end, or a network blip. */
export async function realtime(action: "cut" | "restore" | "drop_sockets"): Promise<void> {
  const response = await fetch(`${URL_BASE}/realtime/v1/_control`, {
    method: "POST",
    headers: { apikey: SECRET_KEY, "content-type": "application/json" },
    body: JSON.stringify({ action }),
  });
  assert(response.ok, await response.text());
}
