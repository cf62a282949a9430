// Checkpoints as others would read them: a key, a note and a key id that another implementation must agree on.
import { CheckpointSigner, checkpointText, newSigningKey, SIGNER } from "../../shared/evidence/checkpoint.ts";
import { formProblem } from "../../shared/platform/settings.ts";
import { assert, assertEquals, assertNotEquals } from "../support/assert.ts";

const HEAD = { municipality_id: "a1b0de1a-0000-4000-8000-000000000001", size: 12, root: "ab".repeat(32) };

Deno.test("RFC 8032's first key gives its public key, and signs the note's text", async () => {
  const seed = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
  const signer = await CheckpointSigner.of(seed);
  assertEquals(signer.publicKey, "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
  const note = await signer.sign(HEAD);
  assertEquals(
    note.split("\n").slice(0, 4),
    [`${SIGNER}/${HEAD.municipality_id}`, "12", "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=", ""],
  );
  assert(note.startsWith(checkpointText(HEAD)) && note.endsWith("\n"));
  assertEquals(note, await signer.sign(HEAD), "Ed25519 is deterministic");
});

Deno.test("a new key is 32 random bytes, in the form that the setting has", () => {
  const key = newSigningKey();
  assertEquals(formProblem("CUSTODY_SIGNING_KEY", key), undefined);
  assertEquals(atob(key).length, 32);
  assertNotEquals(newSigningKey(), key);
  for (const wrong of ["short", key.slice(1), `${key}\n`]) assert(formProblem("CUSTODY_SIGNING_KEY", wrong));
});
