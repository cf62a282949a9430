/** The script of verify.html. Asks no network; shows text alone. */
/// <reference lib="dom" />
import { verifyBundle } from "./verify.ts";
import { type Entry, readZip } from "./zip.ts";

const input = document.querySelector<HTMLInputElement>("input")!;
const output = document.querySelector<HTMLElement>("output")!;

input.addEventListener("change", () => verify(input.files![0]!));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  const file = event.dataTransfer?.files[0];
  if (file) verify(file);
});

async function verify(file: File): Promise<void> {
  say("p", `Reading ${file.name} …`, true);
  try {
    const entries: Entry[] = await readZip(file);
    const verdicts = await verifyBundle(
      entries,
      (bytes) => say("p", `${Math.floor(bytes / file.size * 100)} % read`, true),
    );
    const bad = verdicts.flatMap(({ name, checks }) =>
      checks.filter(({ good }) => !good).map(({ what }) => `${name}: ${what}`)
    );
    say("h2", bad.length === 0 ? "All of it holds." : "Something in this bundle was changed.", true);
    for (const line of bad) say("p", `WRONG: ${line}`).className = "wrong";
    for (const { name, checks, facts } of verdicts) {
      say(
        "h3",
        `${name}: ${checks.every(({ good }) => good) ? "as recorded, byte for byte" : "NOT as recorded"}`,
      );
      for (const fact of facts) say("p", fact);
    }
    say(
      "p",
      "Not proved: who took a picture, where, or that it shows what is said. Not proved by this page: whose key signed.",
    );
  } catch (error) {
    say("h2", "This is no bundle, or it is not whole.", true);
    say("p", (error as Error).message);
  }
}

function say(tag: string, text: string, alone = false): HTMLElement {
  if (alone) output.replaceChildren();
  const element = document.createElement(tag);
  element.textContent = text;
  output.append(element);
  return element;
}
