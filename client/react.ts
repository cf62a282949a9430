/**
 * React hooks over the package's core. None of them suspends: each gives data, whether it is loading, and the error.
 * What `useTickets` hears of a ticket, `useTicket` reads again.
 */
import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { type TicketCount, ticketCounts } from "./counts.ts";
import { readTicket, type TicketDetails } from "./ticket.ts";
import { subscribeToTickets } from "./tickets.ts";
import type { AnyClient, ConnectionState, Ticket, TicketSubscription, TicketWindow } from "./types.ts";
import { type UploadedFile, uploadEvidence, type UploadOptions } from "./upload.ts";
import { signedUrls, type SigningOptions } from "./urls.ts";

/** A value that components look at, and what runs as long as one does. */
class Store<T> {
  readonly #listeners = new Set<() => void>();
  #stop: (() => void) | undefined;
  #value: T;

  constructor(value: T, private readonly start: (store: Store<T>) => () => void) {
    this.#value = value;
  }

  readonly get = (): T => this.#value;

  set(value: Partial<T>): void {
    this.#value = { ...this.#value, ...value };
    for (const listener of this.#listeners) listener();
  }

  readonly subscribe = (listener: () => void): () => void => {
    this.#listeners.add(listener);
    this.#stop ??= this.start(this);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size) return;
      this.#stop?.();
      this.#stop = undefined;
    };
  };
}

function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.get, store.get);
}

/** Who wants to know that something of a ticket changed; undefined: of any. */
const watchers = new WeakMap<AnyClient, Set<(ticketId?: string | null) => void>>();
const watchersOf = (supabase: AnyClient) => {
  const known = watchers.get(supabase) ?? new Set();
  watchers.set(supabase, known);
  return known;
};

export interface TicketsResult {
  tickets: Ticket[];
  state: ConnectionState;
  /** There are more tickets than the window's limit. */
  hasMore: boolean;
  isLoading: boolean;
  /** The last interruption; it is being retried already. */
  error: Error | undefined;
}

/** A live window of a municipality's tickets. Use it once per municipality, and pass on what it gives. */
export function useTickets(
  supabase: AnyClient,
  municipalityId: string,
  { sensitive = false, ...window }: { sensitive?: boolean } & TicketWindow = {},
): TicketsResult {
  const key = JSON.stringify(window);
  const { store, show } = useMemo(() => ticketsStore(supabase, municipalityId, sensitive), [
    supabase,
    municipalityId,
    sensitive,
  ]);
  // before the store is subscribed to: effects run in the order of their hooks
  useEffect(() => show(JSON.parse(key)), [show, key]);
  return useStore(store);
}

function ticketsStore(supabase: AnyClient, municipalityId: string, sensitive: boolean) {
  let window: TicketWindow = {};
  let subscription: TicketSubscription | undefined;
  /** StrictMode leaves and comes back at once: the next subscription waits for the last one's end. */
  let closing: Promise<void> = Promise.resolve();
  const empty: TicketsResult = {
    tickets: [],
    state: "connecting",
    hasMore: false,
    isLoading: true,
    error: undefined,
  };
  const store = new Store<TicketsResult>(empty, (store) => {
    let isLeft = false;
    const tell = (ticketId?: string | null) => {
      for (const watcher of watchersOf(supabase)) watcher(ticketId);
    };
    void closing.then(() => {
      if (isLeft) return;
      try {
        subscription = subscribeToTickets(supabase, municipalityId, {
          onChange: (_, tickets) => store.set({ tickets, hasMore: subscription?.hasMore ?? false }),
          onTouch: tell,
          onState(state) {
            store.set({ state, hasMore: subscription?.hasMore ?? false });
            if (state !== "live") return;
            store.set({ isLoading: false, error: undefined });
            tell();
          },
          onError: (error) => store.set({ error }),
          onMedia: ({ ticket_id }) => tell(ticket_id),
          onMessage: ({ ticket_id }) => tell(ticket_id),
        }, { sensitive, ...window });
      } catch (error) {
        store.set({ error: error as Error, isLoading: false, state: "offline" });
      }
    });
    return () => {
      isLeft = true;
      if (subscription) closing = subscription.close();
      subscription = undefined;
      store.set(empty);
    };
  });
  const show = (next: TicketWindow) => {
    window = next;
    subscription?.show(window);
  };
  return { store, show };
}

export interface TicketCountsResult {
  counts: TicketCount[];
  isLoading: boolean;
  error: Error | undefined;
}

/** Between two looks at the counts, however much changes. */
const COUNTS_MS = 2_000;

/** How many tickets of each status the user may read. They follow what `useTickets` hears. */
export function useTicketCounts(supabase: AnyClient): TicketCountsResult {
  const store = useMemo(
    () =>
      new Store<TicketCountsResult>({ counts: [], isLoading: true, error: undefined }, (store) => {
        const left = new AbortController();
        const { signal } = left;
        let timer: ReturnType<typeof setTimeout> | undefined;
        let isRestless = false;
        const read = async (): Promise<void> => {
          // from now on, not from the answer: dashboards that heard of the same change spread
          timer = setTimeout(() => {
            timer = undefined;
            if (isRestless) void read();
          }, COUNTS_MS * (1 + Math.random()));
          isRestless = false;
          try {
            const counts = await ticketCounts(supabase, { signal });
            if (!signal.aborted) store.set({ counts, isLoading: false, error: undefined });
          } catch (error) {
            if (!signal.aborted) store.set({ error: error as Error, isLoading: false });
          }
        };
        const watcher = () => {
          isRestless = true;
          if (!timer) void read();
        };
        watchersOf(supabase).add(watcher);
        void read();
        return () => {
          watchersOf(supabase).delete(watcher);
          left.abort();
          clearTimeout(timer);
        };
      }),
    [supabase],
  );
  return useStore(store);
}

export interface TicketResult extends Partial<TicketDetails> {
  isLoading: boolean;
  /** There is no such ticket, or not for this user. */
  isGone: boolean;
  error: Error | undefined;
}

/** A ticket with its messages and files; read again when `useTickets` hears of it. */
export function useTicket(supabase: AnyClient, ticketId: string): TicketResult {
  const store = useMemo(
    () =>
      new Store<TicketResult>({ isLoading: true, isGone: false, error: undefined }, (store) => {
        let reading = new AbortController();
        const read = async () => {
          reading.abort();
          const { signal } = reading = new AbortController();
          try {
            const details = await readTicket(supabase, ticketId, { signal });
            if (signal.aborted) return;
            const gone = { ticket: undefined, messages: undefined, files: undefined };
            store.set({ ...gone, ...details, isGone: !details, isLoading: false, error: undefined });
          } catch (error) {
            if (!signal.aborted) store.set({ error: error as Error, isLoading: false });
          }
        };
        const watcher = (id?: string | null) => {
          if (id === undefined || id === ticketId) void read();
        };
        watchersOf(supabase).add(watcher);
        void read();
        return () => {
          watchersOf(supabase).delete(watcher);
          reading.abort();
        };
      }),
    [supabase, ticketId],
  );
  return useStore(store);
}

export interface SignedUrlResult {
  url: string | undefined;
  isLoading: boolean;
  error: Error | undefined;
}

/** Seconds before its end that a URL is renewed, and before another try. */
const MARGIN = 30;

/**
 * A file's URL, renewed before it ends. Each URL of GBV evidence is recorded as a look at it: give undefined until somebody
 * asks to see the file.
 */
export function useSignedUrl(
  supabase: AnyClient,
  fileId: string | undefined,
  { expiresIn, download }: SigningOptions = {},
): SignedUrlResult {
  const store = useMemo(() => {
    const first = { url: undefined, isLoading: fileId !== undefined, error: undefined };
    return new Store<SignedUrlResult>(first, (store) => {
      let isLeft = false;
      let timer: ReturnType<typeof setTimeout>;
      const sign = async (): Promise<void> => {
        let again = MARGIN;
        try {
          const [answer] = await signedUrls(supabase, [{ file_id: fileId! }], { expiresIn, download });
          if (isLeft) return;
          if ("error" in answer!) {
            return store.set({ url: undefined, error: new Error(answer.error.message), isLoading: false });
          }
          store.set({ url: answer!.signed_url, error: undefined, isLoading: false });
          again = Math.max((Date.parse(answer!.expires_at) - Date.now()) / 1000 - MARGIN, 5);
        } catch (error) {
          if (isLeft) return;
          store.set({ error: error as Error, isLoading: false });
        }
        timer = setTimeout(sign, again * 1000);
      };
      if (fileId !== undefined) void sign();
      return () => {
        isLeft = true;
        clearTimeout(timer);
      };
    });
  }, [supabase, fileId, expiresIn, download]);
  return useStore(store);
}

export interface UploadResult {
  upload: (
    file: File,
    options: Omit<UploadOptions, "onProgress" | "signal">,
  ) => Promise<UploadedFile | undefined>;
  cancel: () => void;
  /** 0 to 1 while a file is on its way. */
  progress: number | undefined;
  error: Error | undefined;
}

/** Uploads a file at a time. It goes on when the component is left. */
export function useEvidenceUpload(supabase: AnyClient): UploadResult {
  const [progress, setProgress] = useState<number>();
  const [error, setError] = useState<Error>();
  const [running, setRunning] = useState<AbortController>();
  const upload: UploadResult["upload"] = useCallback(async (file, options) => {
    const controller = new AbortController();
    setRunning(controller);
    setError(undefined);
    setProgress(0);
    try {
      return await uploadEvidence(supabase, file, {
        ...options,
        onProgress: setProgress,
        signal: controller.signal,
      });
    } catch (error) {
      if (!controller.signal.aborted) setError(error as Error);
      return undefined;
    } finally {
      setProgress(undefined);
    }
  }, [supabase]);
  return { upload, cancel: () => running?.abort(), progress, error };
}
