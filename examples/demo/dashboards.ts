// What open dashboards are told: everybody of both municipalities listens wherever the database lets them.
import type { RealtimeChannel } from "@supabase/supabase-js";
import {
  everybody,
  MUNICIPALITIES,
  type Person,
  ROLES,
  type Slug,
  SLUGS,
} from "../../tests/support/stack.ts";

/** Milliseconds without a message after which a step has been told to everybody. */
const QUIET_MS = 400;

export interface Told {
  person: Person;
  event: string;
  topic: string;
  payload: Record<string, unknown>;
}

export class Dashboards {
  private told: Told[] = [];
  private readonly channels: { person: Person; channel: RealtimeChannel }[] = [];
  /** `role of municipality` → the topics that the person may receive. */
  readonly joined = new Map<Person, string[]>();

  /** Joins all four topics as everybody, and keeps what the database allows. */
  async open(): Promise<void> {
    const topics = SLUGS.flatMap((slug) => {
      const topic = `municipality:${MUNICIPALITIES[slug].id}`;
      return [topic, `${topic}:gbv`];
    });
    await Promise.all((await everybody()).map(async (person) => {
      await person.supabase.realtime.setAuth();
      const allowed = await Promise.all(topics.map((topic) => this.join(person, topic)));
      this.joined.set(person, topics.filter((_, index) => allowed[index]));
    }));
  }

  /** What was told since the last call, once it has become quiet. */
  async hear(): Promise<Told[]> {
    let heard = -1;
    while (heard < this.told.length) {
      heard = this.told.length;
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    }
    const told = this.told;
    this.told = [];
    return told;
  }

  async close(): Promise<void> {
    await Promise.all(this.channels.map(({ person, channel }) => person.supabase.removeChannel(channel)));
    await Promise.all([...this.joined.keys()].map(({ supabase }) => supabase.realtime.disconnect()));
  }

  private join(person: Person, topic: string): Promise<boolean> {
    const channel = person.supabase.channel(topic, {
      config: { private: true, broadcast: { self: false, replication_ready: true } },
    });
    channel.on(
      "broadcast",
      { event: "*" },
      ({ event, payload }) => this.told.push({ person, event, topic, payload }),
    );
    return new Promise((resolve) => {
      // ready once the server's replication stands, refused at once
      channel.on("system", {}, () => resolve(true));
      channel.subscribe((status) => {
        if (status === "CHANNEL_ERROR" || status === "TIMED_OUT") {
          resolve(false);
          person.supabase.removeChannel(channel);
        } else if (status === "SUBSCRIBED") this.channels.push({ person, channel });
      });
    });
  }
}

/** `mbombela: manager, admin; polokwane: admin`, in the order of the access table. */
export function listPeople(people: Iterable<Person>): string {
  const all = [...people];
  const of = (slug: Slug) =>
    ROLES.filter((role) => all.some((person) => person.slug === slug && person.role === role)).join(", ");
  return SLUGS.filter(of).map((slug) => `${slug}: ${of(slug)}`).join("; ") || "nobody";
}
