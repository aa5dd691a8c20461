/** One run's events for all tabs of a browser that want them. */

import type { Entry } from "../../client/index.ts";
import type { Port } from "./words.ts";

const FLUSH_MS = 16; // about a frame: tabs show no more often
const KEPT = 4096; // events that are kept for tabs that come later

interface Piece extends Entry {
  /** The first of the events that are in it; `seq` is the last. */
  readonly from: number;
}

export class Stream {
  readonly runId: string;
  /** When a tab last asked for it, by a counter of the hub's. */
  wantedAt = 0;
  readonly #tabs = new Map<Port, number>();
  #kept: Piece[] = [];
  #fresh: Piece[] = [];
  #start: number;
  #seq: number;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(runId: string, after: number) {
    this.runId = runId;
    this.#start = after + 1;
    this.#seq = after;
  }

  /** The number of the last event that has come. */
  get seq(): number {
    return this.#seq;
  }

  get wanted(): boolean {
    return this.#tabs.size > 0;
  }

  /**
   * Tell this tab what comes after an event. Where that is not kept any more, or begins within a piece, the tab is told
   * that there is nothing more: it asks the server for the message as it is, and joins after that.
   */
  join(tab: Port, after: number): void {
    this.#flush();
    this.#tabs.set(tab, after);
    if (after + 1 < this.#start) this.#turnAway(tab);
    else this.#tell(tab, after, this.#kept);
  }

  leave(tab: Port): void {
    this.#tabs.delete(tab);
  }

  /** Take the events from number `from` to number `seq`, in one; false where some before them are missing. */
  take(from: number, seq: number, event: Entry["event"] | null): boolean {
    if (seq <= this.#seq) return true;
    if (from !== this.#seq + 1) return false;
    this.#seq = seq;
    if (event !== null) this.#fresh.push({ from, seq, event });
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
    return true;
  }

  /** Tell the tabs what has come, and that nothing more will. */
  end(): void {
    this.#flush();
    for (const tab of this.#tabs.keys()) tab.send({ type: "ended", runId: this.runId });
    this.#tabs.clear();
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#fresh.length === 0) return;
    const fresh = this.#fresh;
    this.#fresh = [];
    for (const [tab, after] of this.#tabs) this.#tell(tab, after, fresh);
    this.#kept.push(...fresh);
    if (this.#kept.length > 2 * KEPT) {
      this.#kept = this.#kept.slice(-KEPT);
      this.#start = this.#kept[0]?.from ?? this.#seq + 1;
    }
  }

  /** Send a tab those of the pieces that it has not. Pieces cannot be cut. */
  #tell(tab: Port, after: number, pieces: readonly Piece[]): void {
    const missed = pieces.filter(({ seq }) => seq > after);
    const [first] = missed;
    const last = missed.at(-1);
    if (first === undefined || last === undefined) return;
    if (first.from <= after) {
      this.#turnAway(tab);
      return;
    }
    this.#tabs.set(tab, last.seq);
    tab.send({ type: "entries", runId: this.runId, entries: missed });
  }

  #turnAway(tab: Port): void {
    this.#tabs.delete(tab);
    tab.send({ type: "ended", runId: this.runId });
  }
}
