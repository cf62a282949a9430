// Kill test: the functions die at random moments while messages keep arriving; nothing that Twilio was thanked for is lost.
// KILLS=1000 for a longer one.
import { assert } from "../support/assert.ts";
import { assertNothingLost, flood, whileTimePasses, workToTheEnd } from "../support/flood.ts";
import { between, isUp, killFunction, ownStack, pause } from "../support/own-stack.ts";

const KILLS = Number(Deno.env.get("KILLS") ?? 200);
/** Tries that kills may use up; the rest is for the quiet afterwards. */
const PATIENCE = 6;

Deno.test({
  name: `after ${KILLS} kills every medium acknowledged is stored once, with the right bytes, and none twice`,
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const own = await ownStack({ workerSeconds: 0.1 });
    try {
      const started = performance.now();
      const sent = await whileTimePasses(own, PATIENCE, async () => {
        const residents = flood(own, { senders: 3, pauses: [50, 350], largeEvery: 4 });
        try {
          await Promise.all(["twilio-media", "media-worker"].map(async (name) => {
            for (let kill = 0; kill < KILLS / 2; kill++) {
              if (kill % 8) await isUp(own.supabase, name); // else perhaps while it starts
              await pause(between(10, 600));
              assert(await killFunction(own.supabase, name), `${name} does not come back`);
            }
          }));
        } finally {
          await residents.stop();
        }
        return await residents.stop();
      });
      const killed = performance.now();
      await workToTheEnd(own);
      const summary = await assertNothingLost(own, sent);
      const seconds = (since: number, until = performance.now()) => ((until - since) / 1000).toFixed(1);
      console.log(`${KILLS} kills in ${seconds(started, killed)} s, ${seconds(killed)} s more; ${summary}`);
    } finally {
      await own.supabase.stop();
    }
  },
});
