/** One run's events for all tabs of a browser that want them, over one connection. */

import { ApiError, type Client, type ClientError, type Entry } from "../../client/index.ts";
import type { Port, Refusal } from "./words.ts";

const FLUSH_MS = 16; // about a frame: tabs show no more often
const KEPT = 4096; // events that are kept for tabs that come later

export interface Watch {
  lost(attempt: number): void;
  found(): void;
  refused(error: unknown): void;
  /** It has ended and may be forgotten. */
  over(stream: Stream): void;
}

/** A stream is started, halted when others need its connection more, and started again after its last event. */
export class Stream {
  readonly runId: string;
  /** When a tab last asked for it, by a counter of the hub's. */
  wantedAt = 0;
  readonly #client: Client;
  readonly #watch: Watch;
  readonly #tabs = new Map<Port, number>();
  #kept: Entry[] = [];
  #fresh: Entry[] = [];
  #seq: number;
  #halt: AbortController | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(client: Client, runId: string, after: number, watch: Watch) {
    this.#client = client;
    this.runId = runId;
    this.#seq = after;
    this.#watch = watch;
  }

  get running(): boolean {
    return this.#halt !== null;
  }

  get wanted(): boolean {
    return this.#tabs.size > 0;
  }

  /** Send this tab what comes after an event; false where that is not kept any more, and another stream is needed. */
  join(tab: Port, after: number): boolean {
    this.#flush();
    if (after > this.#seq) return false;
    if (after < this.#seq) {
      const first = this.#kept[0];
      if (first === undefined || firstOf(first) > after + 1) return false;
      const missed = this.#kept.filter((entry) => entry.seq > after);
      if (missed[0] !== undefined && firstOf(missed[0]) !== after + 1) return false;
      tab.send({ type: "entries", runId: this.runId, entries: missed });
    }
    this.#tabs.set(tab, this.#seq);
    return true;
  }

  leave(tab: Port): void {
    this.#tabs.delete(tab);
  }

  has(tab: Port): boolean {
    return this.#tabs.has(tab);
  }

  /** Give the connection back. What has come stays. */
  stop(): void {
    this.#halt?.abort();
    this.#halt = null;
    this.#flush();
  }

  async start(): Promise<void> {
    const halt = new AbortController();
    this.#halt = halt;
    let attempt = 0;
    const answer = this.#client.follow(this.runId, {
      after: this.#seq,
      signal: halt.signal,
      backoff: { longestMs: 4000 },
      onLost: (_error: ClientError) => {
        attempt += 1;
        this.#watch.lost(attempt);
      },
      onFound: () => {
        attempt = 0;
        this.#watch.found();
      },
    });
    try {
      for await (const entry of answer) this.#take(entry);
      if (!halt.signal.aborted) this.#end(null);
    } catch (error) {
      if (halt.signal.aborted) return;
      this.#watch.refused(error);
      this.#end(error instanceof ApiError ? { code: error.code, message: error.message } : said(error));
    }
  }

  #take(entry: Entry): void {
    this.#fresh.push(entry);
    this.#seq = entry.seq;
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#fresh.length === 0) return;
    const entries = this.#fresh;
    this.#fresh = [];
    for (const tab of this.#tabs.keys()) tab.send({ type: "entries", runId: this.runId, entries });
    this.#kept = this.#kept.concat(entries);
    if (this.#kept.length > 2 * KEPT) this.#kept = this.#kept.slice(-KEPT);
  }

  #end(refusal: Refusal | null): void {
    this.#flush();
    this.#halt = null;
    for (const tab of this.#tabs.keys()) tab.send({ type: "ended", runId: this.runId, refusal });
    this.#tabs.clear();
    this.#watch.over(this);
  }
}

function firstOf({ seq, event }: Entry): number {
  return event.type === "text" ? (event.from ?? seq) : seq;
}

function said(error: unknown): Refusal {
  return { code: "unreadable", message: error instanceof Error ? error.message : String(error) };
}
