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
        // slow enough that a kill meets a transfer on its way, or one that is stored and not yet recorded
        own.supabase.faults.storage = async (request, serve) => {
          const response = await serve(request);
          await pause(between(0, 80));
          return response;
        };
        const options = () => ({ faults: { stall_ms: between(0, 60), times: 1 } });
        const residents = flood(own, { senders: 2, pauses: [100, 600], largeEvery: 4, options });
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
          own.supabase.faults.storage = undefined;
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
