/** The script of verify.html. Asks no network; shows text alone. */
/// <reference lib="dom" />
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { type Verdict, verifyBundle, withoutClutter } from "./verify.ts";
import { type Entry, readZip } from "./zip.ts";

const verdict = document.querySelector<HTMLElement>("#verdict")!;
const same = document.querySelector<HTMLElement>("#same")!;
const copies = document.querySelector<HTMLElement>("section")!;
const key = document.querySelector<HTMLInputElement>("#key")!;
let files: Verdict[] = [];
let again: (() => Promise<void>) | undefined;

key.addEventListener("change", () => void again?.());

onChoice("#bundle", ([zip]) => verify(zip!.name, () => readZip(zip!)));
onChoice("#folder", (files) => verify("the folder", () => withoutClutter(files.map(entryOf))));
onChoice("#copy", ([copy]) => compare(copy!));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  const [item] = event.dataTransfer?.items ?? [];
  const [dropped, file] = [item?.webkitGetAsEntry(), item?.getAsFile()];
  if (dropped?.isDirectory) {
    void verify(dropped.name, async () => withoutClutter(await filesIn(dropped as FileSystemDirectoryEntry)));
  } else if (!file) return;
  else if (files.length === 0 || file.name.endsWith(".zip")) void verify(file.name, () => readZip(file));
  else void compare(file);
});

function onChoice(selector: string, act: (files: File[]) => Promise<void>): void {
  const input = document.querySelector<HTMLInputElement>(selector)!;
  input.addEventListener("change", () => {
    const chosen = [...input.files ?? []];
    if (chosen.length > 0) void act(chosen);
  });
}

function entryOf(file: File): Entry {
  return { path: file.webkitRelativePath, size: file.size, stream: () => Promise.resolve(file.stream()) };
}

/** All files below a folder that was dropped. */
async function filesIn(folder: FileSystemDirectoryEntry): Promise<Entry[]> {
  const reader = folder.createReader();
  const found: Entry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject)
    );
    if (some.length === 0) return found;
    for (const entry of some) {
      if (entry.isDirectory) found.push(...await filesIn(entry as FileSystemDirectoryEntry));
      else {
        const file = await new Promise<File>((resolve, reject) =>
          (entry as FileSystemFileEntry).file(resolve, reject)
        );
        found.push({ ...entryOf(file), path: entry.fullPath.slice(1) });
      }
    }
  }
}

async function verify(name: string, read: () => Entry[] | Promise<Entry[]>): Promise<void> {
  again = () => verify(name, read);
  files = [];
  copies.hidden = true;
  same.replaceChildren();
  say(verdict, "p", `Reading ${name} …`, true);
  try {
    const entries = await read();
    const all = Math.max(1, entries.reduce((sum, { size }) => sum + size, 0));
    const verdicts = await verifyBundle(
      entries,
      key.value.trim() || undefined,
      (bytes) => say(verdict, "p", `${Math.floor(bytes / all * 100)} % read`, true),
    );
    const bad = verdicts.flatMap(({ name, checks }) =>
      checks.filter(({ good }) => !good).map(({ what }) => `${name} fails the check “${what}”.`)
    );
    const isWhole = bad.length === 0;
    say(verdict, "h2", isWhole ? "All of it holds." : "Something in this bundle was changed.", true);
    for (const line of bad) say(verdict, "p", line).className = "wrong";
    const [bundle, ...rest] = verdicts;
    for (const what of bundle!.missing) say(verdict, "p", `Missing: ${what}`).className = "missing";
    for (const fact of bundle!.facts) say(verdict, "p", fact);
    for (const { name, checks, facts, missing } of rest) {
      const isGood = checks.every(({ good }) => good);
      say(verdict, "h3", `${name}: ${isGood ? "as recorded, byte for byte" : "NOT as recorded"}`);
      for (const fact of facts) say(verdict, "p", fact);
      for (const what of missing) say(verdict, "p", what).className = "missing";
    }
    say(
      verdict,
      "p",
      "Not proved: who took a picture, where, or that it shows what is said.",
    );
    files = rest.filter(({ checks }) => checks.every(({ good }) => good));
    copies.hidden = files.length === 0;
  } catch (error) {
    say(verdict, "h2", "This is not a bundle, or it is incomplete.", true);
    say(verdict, "p", (error as Error).message);
  }
}

/** A copy against the files that verified. */
async function compare(copy: File): Promise<void> {
  const hash = sha256.create();
  for await (const part of copy.stream()) hash.update(part);
  const digest = bytesToHex(hash.digest());
  const found = files.filter((file) => file.sha256 === digest);
  const names = found.map(({ name }) => name).join(", ");
  say(
    same,
    "p",
    found.length > 0
      ? `${copy.name} is ${names}, byte for byte.`
      : `${copy.name} is none of the files in this bundle. It may have been saved anew, resized or changed.`,
    true,
  ).className = found.length > 0 ? "" : "wrong";
  say(same, "p", `Its SHA-256 is ${digest}.`);
}

function say(output: HTMLElement, tag: string, text: string, alone = false): HTMLElement {
  if (alone) output.replaceChildren();
  const element = document.createElement(tag);
  element.textContent = text;
  output.append(element);
  return element;
}
