/** A tab's side of the room: what it follows, and up to where, so that another hub can go on. */

import type { Listener, News, Piece, Room, ToHub, ToTab } from "./words.ts";

interface Followed {
  after: number;
  readonly listener: Listener;
}

export class Tab implements Room {
  readonly #send: (message: ToHub) => void;
  readonly #followed = new Map<string, Followed>();
  readonly #hearers = new Set<(news: News) => void>();

  constructor(send: (message: ToHub) => void) {
    this.#send = send;
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.wake());
    addEventListener("pagehide", () => send({ type: "bye" }));
    addEventListener("pageshow", ({ persisted }) => persisted && this.#again());
  }

  follow(runId: string, after: number, listener: Listener): () => void {
    const followed = { after, listener };
    this.#followed.set(runId, followed);
    this.#send({ type: "follow", runId, after });
    return () => {
      if (this.#followed.get(runId) !== followed) return;
      this.#followed.delete(runId);
      this.#send({ type: "leave", runId });
    };
  }

  hear(listener: (news: News) => void): () => void {
    this.#hearers.add(listener);
    return () => this.#hearers.delete(listener);
  }

  wake(): void {
    this.#send({ type: "here" });
  }

  /** Take what the hub says. */
  take(message: ToTab): void {
    switch (message.type) {
      case "pieces":
        this.#pieces(message.runId, message.pieces);
        return;
      case "ended":
        this.#end(message.runId);
        return;
      case "hub":
        for (const hearer of this.#hearers) hearer({ type: "lost", attempt: 0 }); // what happened in between was not told
        this.#again();
        return;
      default:
        for (const hearer of this.#hearers) hearer(message);
    }
  }

  /** Say everything once more, to a hub that does not know this tab. */
  #again(): void {
    this.wake();
    for (const [runId, { after }] of this.#followed) this.#send({ type: "follow", runId, after });
  }

  #pieces(runId: string, pieces: readonly Piece[]): void {
    const followed = this.#followed.get(runId);
    if (followed === undefined) return;
    const fresh = pieces.filter(({ seq }) => seq > followed.after);
    const [first] = fresh;
    const last = fresh.at(-1);
    if (first === undefined || last === undefined) return;
    if (first.from <= followed.after) {
      // told twice, by two hubs: a piece cannot be cut
      this.#send({ type: "leave", runId });
      this.#end(runId);
      return;
    }
    followed.after = last.seq;
    followed.listener.pieces(fresh);
  }

  #end(runId: string): void {
    const followed = this.#followed.get(runId);
    this.#followed.delete(runId);
    followed?.listener.ended();
  }
}
