/** The one place of a browser that reads from the server: for all tabs, over one connection, each run once. */

import { ApiError, isTerminal } from "../../client/index.ts";
import { Server } from "../../client/http.ts";
import { Feed } from "./feed.ts";
import { Stream } from "./stream.ts";
import type { Port, ToHub, ToTab } from "./words.ts";

const MOST_RUNS = 100; // the server's bound

export class Hub {
  readonly #feed: Feed;
  readonly #tabs = new Set<Port>();
  readonly #streams = new Map<string, Stream>();
  #wishes = 0;

  constructor(server: Server = new Server()) {
    this.#feed = new Feed(server, {
      wanted: () => this.#wanted(),
      event: (runId, from, seq, event) => this.#event(runId, from, seq, event),
      gone: (runId) => this.#end(runId),
      read: () => this.#flush(),
      notice: (notice) => this.#tellAll({ type: "notice", notice }),
      lost: (attempt) => this.#tellAll({ type: "lost", attempt }),
      found: () => this.#tellAll({ type: "found" }),
      refused: (error) => {
        if (error instanceof ApiError && error.status === 401) this.#tellAll({ type: "unauthorized" });
      },
    });
  }

  /** Take what a tab says. */
  hear(tab: Port, message: ToHub): void {
    if (message.type === "bye") {
      this.#bye(tab);
      return;
    }
    if (!this.#tabs.has(tab) && this.#feed.isOpen) tab.send({ type: "found" });
    this.#tabs.add(tab);
    if (message.type === "follow") this.#follow(tab, message.runId, message.after);
    else if (message.type === "leave") this.#leave(tab, message.runId);
    if (!this.#feed.running) this.#feed.renew();
  }

  #follow(tab: Port, runId: string, after: number): void {
    this.#leave(tab, runId);
    this.#wishes += 1;
    const known = this.#streams.get(runId);
    if (known !== undefined) {
      known.wantedAt = this.#wishes;
      known.join(tab, after);
      return;
    }
    const stream = new Stream(runId, after);
    stream.join(tab, after);
    stream.wantedAt = this.#wishes;
    this.#streams.set(runId, stream);
    this.#feed.renew();
  }

  #leave(tab: Port, runId: string): void {
    const stream = this.#streams.get(runId);
    stream?.leave(tab);
    // that it is still sent does no harm: it is left out with the next connection
    if (stream?.wanted === false) this.#streams.delete(runId);
  }

  #bye(tab: Port): void {
    for (const runId of this.#streams.keys()) this.#leave(tab, runId);
    this.#tabs.delete(tab);
    if (this.#tabs.size === 0) this.#feed.close();
  }

  #wanted(): ReadonlyMap<string, number> {
    const newest = [...this.#streams.values()].sort((one, other) => other.wantedAt - one.wantedAt).slice(0, MOST_RUNS);
    return new Map(newest.map(({ runId, seq }) => [runId, seq]));
  }

  #event(runId: string, from: number, seq: number, event: Parameters<Stream["take"]>[2]): boolean {
    const stream = this.#streams.get(runId);
    if (stream === undefined) return true;
    if (!stream.take(from, seq, event)) return false;
    if (event !== null && isTerminal(event)) this.#end(runId);
    return true;
  }

  #flush(): void {
    for (const stream of this.#streams.values()) stream.flush();
  }

  /** There is nothing more of this run; there is room for one that had to wait. */
  #end(runId: string): void {
    const isFull = this.#streams.size > MOST_RUNS;
    this.#streams.get(runId)?.end();
    this.#streams.delete(runId);
    if (isFull) this.#feed.renew();
  }

  #tellAll(message: ToTab): void {
    for (const tab of this.#tabs) tab.send(message);
  }
}
