/** What the demo plays with: the files, who was sent which, open dashboards, and what is counted. */
import { everybody, type Person, type Role, type Slug } from "../../tests/support/stack.ts";
import { Checks } from "./checks.ts";
import { Dashboards, listPeople } from "./dashboards.ts";

/** Milliseconds within which a medium must have been taken in. */
export const PATIENCE_MS = 15_000;

export interface SampleFile {
  name: string;
  type: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** A file that was sent, and who must be able to read it. */
export interface SentFile {
  label: string;
  fileId: string;
  sha256: string;
  slug: Slug;
  readers: Role[];
}

export const STAFF: Role[] = ["field_worker", "ward_councillor", "manager", "admin", "saps_liaison"];
export const GBV_READERS: Role[] = ["admin", "saps_liaison"];

export const checks = new Checks();
export const dashboards = new Dashboards();
export const files: SentFile[] = [];

export const photo = await sampleFile("burst-pipe.jpg", "image/jpeg");
export const voice = await sampleFile("voice-note.ogg", "audio/ogg");
export const letter = await sampleFile("proof-of-residence.pdf", "application/pdf");
export const film = await sampleFile("burst-pipe.mp4", "video/mp4");
export const detail = await sampleFile("burst-pipe-detail.png", "image/png");

/**
 * Says which dashboards were told what since the last time, and checks that it was just these people, all of them, and just
 * these things: types of ticket events, states of files.
 */
export async function told(slug: Slug, readers: Role[], expected: string[]): Promise<void> {
  const told = await dashboards.hear();
  const what = ({ payload }: typeof told[number]) => String(payload.type ?? payload.status ?? payload.kind);
  const people = new Set(told.map(({ person }) => person));
  const heard = (listener: Person) =>
    told.filter(({ person }) => person === listener).map(what).sort().join();
  const right = (await everybody()).every((listener) => {
    const shouldHear = listener.slug === slug && readers.includes(listener.role);
    return heard(listener) === (shouldHear ? [...expected].sort().join() : "");
  });
  const line = expected.length ? `${expected.join(", ")} to ${listPeople(people)}` : "nobody of anything";
  checks.check(
    `dashboards told: ${line}`,
    right,
    JSON.stringify(told.map((one) => [one.person.role, what(one)])),
  );
}

async function sampleFile(name: string, type: string): Promise<SampleFile> {
  return { name, type, bytes: await Deno.readFile(new URL(`../media/${name}`, import.meta.url)) };
}
