/** A trace: what people do, drawn from a seed, the same in both worlds. */

/** Those whose view must be the same with and without GBV reports. */
export const ACTORS = [
  "anonymous",
  "citizen of mbombela",
  "field_worker of mbombela",
  "ward_councillor of mbombela",
  "manager of mbombela",
  "admin of polokwane",
] as const;
export type Actor = typeof ACTORS[number];

export type Draw = () => number;

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function drawFrom(seed: number): Draw {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ state >>> 15, 1 | state);
    mixed = (mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed)) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}

export const below = (draw: Draw, end: number) => Math.floor(draw() * end);
export const oneOf = <T>(draw: Draw, list: readonly T[]): T => list[below(draw, list.length)]!;

/** Names a thing by its place among those that there are at that moment; a hidden one is a random id where there is none. */
export interface Ref {
  of: "known" | "hidden";
  at: number;
}

export type Step =
  | { do: "message"; sender: number; gbvNumber: boolean; channel: string; files: number; kind: string }
  | { do: "list"; actor: Actor; table: string; filter: string; count: string }
  | { do: "planned"; actor: Actor }
  | { do: "rpc"; actor: Actor; name: string; ticket: Ref; file: Ref; message: Ref }
  | { do: "function"; actor: Actor; name: string; ticket: Ref; file: Ref; message: Ref; bucket: string }
  | { do: "storage"; actor: Actor; what: string; bucket: string; file: Ref }
  | { do: "write"; actor: Actor; what: string; ticket: Ref; file: Ref }
  | { do: "replay"; actor: Actor; gbvTopic: boolean }
  /** A ticket of the desk goes: it turns sensitive in one world, to another municipality in the other. */
  | { do: "gone"; at: number; how: string }
  | { do: "worker" };

export const TABLES = [
  ...[
    "tickets",
    "media_attachments",
    "inbound_messages",
    "custody_records",
    "evidence_access_log",
    "media_backlog",
  ],
  ...[
    "municipalities",
    "whatsapp_numbers",
    "custody_audits",
    "custody_checkpoints",
    "custody_timestamps",
    "custody_keys",
  ],
];

const FILTERS: Record<string, string[]> = {
  tickets: [
    "",
    "status=eq.open",
    "category=eq.gbv",
    "is_sensitive=is.true",
    "description=is.null",
    "severity=neq.low",
    "sender_ref=not.is.null",
  ],
  media_attachments: [
    "",
    "bucket=eq.gbv-evidence",
    "status=eq.stored",
    "is_sensitive=is.true",
    "message_sid=not.is.null",
  ],
  inbound_messages: [
    "",
    "kind=eq.text",
    "body=ilike.*pipe*",
    "is_sensitive=is.true",
    "sender_id=not.is.null",
  ],
};

export function traceOf(seed: number, length: number): Step[] {
  const draw = drawFrom(seed);
  const ref = (): Ref => ({ of: draw() < 0.6 ? "known" : "hidden", at: below(draw, 1000) });
  const actor = () => oneOf(draw, ACTORS);
  const steps: Record<string, [weight: number, make: () => Step]> = {
    message: [22, () => ({
      do: "message",
      sender: below(draw, 3),
      gbvNumber: draw() < 0.2,
      channel: oneOf(draw, ["whatsapp:", "whatsapp:", ""]),
      files: draw() < 0.4 ? 1 + below(draw, 2) : 0,
      kind: oneOf(draw, ["text", "text", "text", "location", "opt_out"]),
    })],
    list: [24, () => {
      const table = oneOf(draw, [...TABLES, "tickets", "media_attachments", "inbound_messages"]);
      return {
        do: "list",
        actor: actor(),
        table,
        filter: oneOf(draw, FILTERS[table] ?? [""]),
        count: oneOf(draw, ["", "exact"]),
      };
    }],
    planned: [4, () => ({ do: "planned", actor: actor() })],
    rpc: [18, () => ({
      do: "rpc",
      actor: actor(),
      name: oneOf(draw, [
        ...[
          "mark_ticket_read",
          "mark_ticket_sensitive",
          "move_message",
          "other_tickets_of_sender",
          "open_messages",
        ],
        ...["open_evidence", "create_upload_slot", "retry_media", "custody_proof", "custody_certificate"],
        ...["custody_consistency", "custody_bundle", "verify_custody", "publish_municipality_event"],
        ...["route_inbound_message", "claim_media_work", "search_tickets", "search_tickets", "list_tickets"],
      ]),
      ticket: ref(),
      file: ref(),
      message: ref(),
    })],
    function: [10, () => ({
      do: "function",
      actor: actor(),
      name: oneOf(draw, ["upload-url", "signed-url", "open-report"]),
      ticket: ref(),
      file: ref(),
      message: ref(),
      bucket: oneOf(draw, ["evidence", "documents", "gbv-evidence"]),
    })],
    storage: [12, () => ({
      do: "storage",
      actor: actor(),
      what: oneOf(draw, ["list", "list", "list file", "download", "sign", "info", "upload", "delete"]),
      bucket: oneOf(draw, ["evidence", "documents", "gbv-evidence"]),
      file: ref(),
    })],
    write: [10, () => ({
      do: "write",
      actor: actor(),
      what: oneOf(draw, [
        "insert ticket",
        "insert gbv",
        "patch",
        "patch all",
        "delete",
        "insert file",
        "insert file of another",
      ]),
      ticket: ref(),
      file: ref(),
    })],
    replay: [6, () => ({ do: "replay", actor: actor(), gbvTopic: draw() < 0.3 })],
    gone: [
      4,
      () => ({ do: "gone", at: below(draw, 1000), how: oneOf(draw, ["flag", "category", "marked"]) }),
    ],
    worker: [4, () => ({ do: "worker" })],
  };
  const hat = Object.entries(steps).flatMap(([name, [weight]]) => Array<string>(weight).fill(name));
  const drawn = Array.from({ length: length - 2 }, () => steps[oneOf(draw, hat)]![1]());
  // whatever was drawn, it ends with what betrayed most
  return [...drawn, { do: "planned", actor: "manager of mbombela" }, {
    do: "replay",
    actor: "field_worker of mbombela",
    gbvTopic: false,
  }];
}
