/** Key rotation: what another key sealed is sealed anew with the current one, until nothing is left. */
import * as z from "zod/mini";
import { type Fernet, InvalidFernetToken } from "../platform/fernet.ts";
import { log } from "../platform/log.ts";
import type { SystemServices } from "./services.ts";

/** Tokens of one transaction; the longest has some 20 KB. */
const BATCH = 50;
/** Batches of a round: an isolate has 2 s of CPU time. */
const BATCHES = 40;

const Token = z.object({
  message_sid: z.nullable(z.string()),
  ticket_id: z.nullable(z.string()),
  token: z.string(),
});

/**
 * Works until `deadline` (of performance.now()), but does one batch at least, or a busy worker never would. A round may die
 * anywhere: a token is replaced in one statement, and only while it is still the one that was opened.
 */
export async function resealTokens(
  { database, sealer }: SystemServices,
  context: { name: string; requestId: string },
  deadline: number,
): Promise<void> {
  const [sealed_with, ...keys] = sealer.keyIds;
  const other_keys = keys.filter((id) => id !== sealed_with);
  for (let batch = 0; batch === 0 || batch < BATCHES && performance.now() < deadline; batch++) {
    const started = performance.now();
    const found = await database.call("tokens_to_reseal", { other_keys, batch: BATCH }, z.array(Token));
    if (found.length === 0) return;
    const tokens = await Promise.all(
      found.map(async ({ token, ...whose }) => ({ ...whose, old: token, new: await rotated(sealer, token) })),
    );
    const tokensDone = await database.call("complete_resealing", { sealed_with: sealed_with!, tokens });
    log({
      function: context.name,
      request_id: context.requestId,
      job: "reseal",
      code: "ok",
      tokens: tokensDone,
      unopened: tokens.filter((token) => token.new === null).length,
      ms: Math.round(performance.now() - started),
    });
    // the rest of a small batch is in somebody's hands
    if (tokensDone === 0 || found.length < BATCH) return;
  }
}

/** Null for what none of our keys opens. */
async function rotated(sealer: Fernet, token: string): Promise<string | null> {
  try {
    return await sealer.rotate(token);
  } catch (error) {
    if (error instanceof InvalidFernetToken) return null;
    throw error;
  }
}
