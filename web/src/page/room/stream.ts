/** One run's events for all tabs of a browser that want them. */

import type { Entry } from "../../client/index.ts";
import type { Piece, Port } from "./words.ts";

const KEPT = 4096; // events that are kept for tabs that come later, each by itself: a tab may come in between any two

export class Stream {
  readonly runId: string;
  /** When a tab last asked for it, by a counter of the hub's. */
  wantedAt = 0;
  readonly #tabs = new Map<Port, number>();
  #kept: Piece[] = [];
  #fresh: Piece[] = [];
  #start: number;
  #seq: number;

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
    this.flush();
    this.#tabs.set(tab, after);
    if (after + 1 < this.#start) this.#turnAway(tab);
    else this.#tell(tab, after, this.#kept);
  }

  leave(tab: Port): void {
    this.#tabs.delete(tab);
  }

  /**
   * Take the events from number `from` to number `seq`, in one; false where some before them are missing. The tabs are
   * told by `flush`.
   */
  take(from: number, seq: number, event: Entry["event"] | null): boolean {
    if (seq <= this.#seq) return true;
    if (from !== this.#seq + 1) return false;
    this.#seq = seq;
    if (event !== null) this.#fresh.push({ from, seq, event });
    return true;
  }

  /** Tell the tabs what has come, and that nothing more will. */
  end(): void {
    this.flush();
    for (const tab of this.#tabs.keys()) tab.send({ type: "ended", runId: this.runId });
    this.#tabs.clear();
  }

  /** Tell the tabs what has come. */
  flush(): void {
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
    tab.send({ type: "pieces", runId: this.runId, pieces: merged(missed) });
  }

  #turnAway(tab: Port): void {
    this.#tabs.delete(tab);
    tab.send({ type: "ended", runId: this.runId });
  }
}

/** Return the pieces with adjacent text in one: a tab is told little at a time, however many events there are. */
function merged(pieces: readonly Piece[]): readonly Piece[] {
  const made: Piece[] = [];
  for (const piece of pieces) {
    const last = made.at(-1);
    const one = last?.event;
    const { seq, event } = piece;
    if (last === undefined || one === undefined || !isSaid(one) || !isSaid(event) || one.type !== event.type) made.push(piece);
    else made[made.length - 1] = { from: last.from, seq, event: { type: one.type, t: one.t, delta: one.delta + event.delta } };
  }
  return made;
}

type Said = Extract<Entry["event"], { delta: string; type: "text" | "reasoning" }>;

function isSaid(event: Entry["event"]): event is Said {
  return event.type === "text" || event.type === "reasoning";
}
