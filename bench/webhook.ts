/** How soon Twilio is answered: media must not hold the answer up, nor many messages at once. */
import { type HttpRequest, startAsker } from "./harness/client.ts";
import { MBOMBELA, removeFiles } from "./harness/files.ts";
import { keepMedia, LARGEST, PHOTO } from "./harness/media.ts";
import { quantile } from "./harness/statistics.ts";
import type { Suite } from "./harness/types.ts";
import { type Medium, signedWebhook } from "./harness/webhook.ts";

/** Milliseconds that Twilio waits for an answer. */
const TWILIO_LIMIT = 15_000;
/** Messages at once, and times that is done per round: a p95 of 16 answers alone would be the slowest of them. */
const AT_ONCE = 16;
const WAVES = 2;
const CROWD = 50;
const MAX_MEDIA = 10;
/** Seconds for the transfers that go on after the answers. */
const DRAIN_SECONDS = 120;

export const suite: Suite = {
  name: "webhook",
  about:
    "Twilio's webhook answered while media come in, over no media, over Twilio's limit, and by a buffering webhook",
  localOnly: "It needs the pretend Twilio, which has the media.",
  stack: { functions: { config: new URL("config.toml", import.meta.url).pathname } },

  async prepare(bench) {
    const { supabase, sql, url } = bench;
    const { env, mark } = supabase!;
    const asker = startAsker(mark);
    const [video] = await keepMedia(env, 1, LARGEST);
    const photos = await keepMedia(env, MAX_MEDIA, PHOTO);
    const buffering = `${url}/functions/v1/rival-buffering-webhook`;

    /** The answers' times of a wave of messages at once; transfers have ended, and files are gone, on return. */
    async function wave(count: number, media: Medium[], webhook?: string): Promise<number[]> {
      const messages = Array.from({ length: count }, () => signedWebhook(env, media, webhook));
      const requests: HttpRequest[] = messages;
      const times = await asker.times({ requests, count, connections: count });
      if (media.length && !webhook) {
        await drained(messages.map((message) => message.sid), count * media.length);
      }
      await tidy();
      return times;
    }

    async function drained(sids: string[], expected: number): Promise<void> {
      for (const deadline = Date.now() + DRAIN_SECONDS * 1000; Date.now() < deadline;) {
        const [row] = await sql<{ stored: number }[]>`
          select count(*)::int as stored from public.media_attachments
          where message_sid = any(${sids}) and status = 'stored' and sha256 is not null`;
        if (row!.stored === expected) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      throw new Error(`Not all of ${expected} media were transferred within ${DRAIN_SECONDS} s`);
    }

    async function tidy(): Promise<void> {
      const objects = await sql<{ name: string }[]>`
        select name from storage.objects where bucket_id = 'evidence' and starts_with(name, ${MBOMBELA})`;
      for (let from = 0; from < objects.length; from += 100) {
        await removeFiles(bench, "evidence", objects.slice(from, from + 100).map(({ name }) => name));
      }
    }

    const percentile = (share: number, count: number, media: Medium[], webhook?: string) => async () => {
      const times: number[] = [];
      for (let waves = 0; waves < (count === AT_ONCE ? WAVES : 1); waves++) {
        times.push(...await wave(count, media, webhook));
      }
      return quantile(times, share);
    };

    return {
      comparisons: [
        {
          name: `webhook answer, ${AT_ONCE} at once: p95 with one 16 MB medium over none`,
          unit: "ms",
          ours: { label: "one 16 MB medium", measure: percentile(0.95, AT_ONCE, [video!]) },
          against: { label: "no media", measure: percentile(0.95, AT_ONCE, []) },
          others: [{
            label: "one 16 MB medium, buffering webhook",
            measure: percentile(0.95, AT_ONCE, [video!], buffering),
          }],
          goal: { atMost: 1.2 },
          rounds: 5,
          seconds: 60,
        },
        {
          name: `webhook answer, ${CROWD} at once, ${MAX_MEDIA} media each: p99 over Twilio's limit`,
          unit: "ms",
          ours: { label: "this bundle", measure: percentile(0.99, CROWD, photos) },
          against: { label: "Twilio's limit", measure: () => Promise.resolve(TWILIO_LIMIT) },
          others: [{ label: "buffering webhook", measure: percentile(0.99, CROWD, photos, buffering) }],
          goal: { atMost: 0.1 },
          rounds: 5,
          seconds: 60,
        },
      ],
      growths: [{
        name: `webhook answer, ${AT_ONCE} at once: p95`,
        unit: "ms",
        of: "media in a message",
        sizes: [1, 4, MAX_MEDIA],
        measure: (count) => percentile(0.95, AT_ONCE, photos.slice(0, count))(),
        seconds: 60,
      }],
      close: () => asker.close(),
    };
  },
};
