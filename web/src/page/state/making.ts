/** An answer in the making: its events to what is shown, at most every other frame. */

import { Fold, type Part, type RunEvent, type Terminal } from "../../client/index.ts";
import type { Piece, Room } from "../room/words.ts";
import { changeNode, nodeOf, say } from "./store.ts";
import type { Key, Live, Node, Phase } from "./words.ts";

const HIDDEN_MS = 500; // a page that nobody sees has no frames
const SLOWEST_MS = 240;
const LEAST_MS = 24; // more than a frame: half as often is as smooth to read, and half the work
const LONGEST = 4096; // letters of a part: each frame copies the last one, and never what is before it

export interface Making {
  readonly runId: string;
  leave(): void;
}

/** Show a run in its message, from the event after `after`; `parts` are those that the message has up to there. */
export function make(
  room: Room,
  talk: Key,
  key: Key,
  run: { readonly id: string; readonly after: number; readonly parts: readonly Part[] },
  over: (node: Node | undefined) => void,
): Making {
  const answer = new Answer(talk, key, run.parts);
  const leave = room.follow(run.id, run.after, {
    pieces: (pieces) => {
      answer.take(pieces);
      if (answer.ended) over(nodeOf(talk, key));
    },
    ended: () => {
      answer.show();
      over(nodeOf(talk, key));
    },
  });
  return {
    runId: run.id,
    leave: () => {
      leave();
      answer.forget();
    },
  };
}

class Answer {
  readonly #talk: Key;
  readonly #key: Key;
  readonly #fold: Fold;
  #change: Partial<Node> = {};
  #live: Partial<Live> = {};
  #pieces = 0;
  #firstT: number | null = null;
  #lastT = 0;
  #startedT: number | null = null;
  #due: (() => void) | null = null;
  #waitMs = 0;
  #shownAt = 0;

  constructor(talk: Key, key: Key, before: readonly Part[]) {
    this.#talk = talk;
    this.#key = key;
    this.#fold = new Fold({ parts: before, longest: LONGEST });
  }

  get ended(): boolean {
    return this.#fold.terminal !== null;
  }

  take(pieces: readonly Piece[]): void {
    for (const { from, seq, event } of pieces) this.#event(event, seq - from + 1);
    if (this.ended) this.show();
    else this.#due ??= this.#soon();
  }

  forget(): void {
    this.#due?.();
    this.#due = null;
  }

  /** Show what there is now. */
  show(): void {
    this.forget();
    const elapsedS = this.#firstT === null ? 0 : (this.#lastT - this.#firstT) / 1000;
    const perSecond = elapsedS > 0.2 && this.#pieces > 4 ? (this.#pieces - 1) / elapsedS : null;
    const terminal = this.#fold.terminal;
    changeNode(this.#talk, this.#key, (node) => ({
      ...this.#change,
      parts: this.#fold.parts,
      ...(this.#fold.model === null ? {} : { model: this.#fold.model }),
      ...(terminal === null
        ? {
            status: statusIn(this.#live.phase ?? node.live?.phase),
            live: { ...(node.live ?? NOTHING), ...this.#live, pieces: this.#pieces, perSecond, firstMs: this.#firstMs },
          }
        : this.#ending(node, terminal, perSecond)),
    }));
    this.#shownAt = performance.now();
  }

  #event(event: RunEvent, count: number): void {
    this.#fold.feed(event);
    switch (event.type) {
      case "run.started":
        this.#startedT = event.t;
        this.#live = { ...this.#live, phase: { kind: "waiting" }, maxTokens: limitIn(event.parameters) };
        return;
      case "run.queued":
        this.#phase({ kind: "queued", place: event.place });
        return;
      case "model.loading":
        this.#phase({ kind: "loading", model: event.model, progress: event.progress ?? null });
        return;
      case "model.ready":
        this.#phase({ kind: "waiting" });
        return;
      case "model.switched":
        this.#change = { ...this.#change, switched: event };
        return;
      case "prompt.progress":
        this.#phase({ kind: "reading", read: event.read, total: event.total });
        return;
      case "sources":
        this.#change = { ...this.#change, sources: event.sources };
        return;
      case "corrections":
        this.#change = { ...this.#change, corrections: event.corrections ?? [] };
        return;
      case "text":
      case "reasoning":
        this.#pieces += count;
        this.#firstT ??= event.t;
        this.#lastT = event.t;
        this.#phase({ kind: event.type === "text" ? "writing" : "thinking" });
        return;
      default:
    }
  }

  #phase(phase: Phase): void {
    this.#live = { ...this.#live, phase };
  }

  #ending(node: Node, terminal: Terminal, perSecond: number | null): Partial<Node> {
    const { usage } = this.#fold;
    say(SPOKEN[terminal.type]);
    return {
      status: this.#fold.status ?? node.status,
      live: null,
      finish: terminal.type === "run.finished" ? terminal.reason : null,
      error: terminal.type === "run.failed" ? terminal : null,
      timings: usage?.timings ?? this.#measured(perSecond),
      usage: {
        input_tokens: usage?.input_tokens ?? null,
        output_tokens: usage?.output_tokens ?? (this.#pieces || null),
        reasoning_tokens: usage?.reasoning_tokens ?? null,
        cached_tokens: usage?.cached_tokens ?? null,
        estimated: usage?.estimated ?? usage === null,
      },
    };
  }

  get #firstMs(): number | null {
    return this.#firstT === null || this.#startedT === null ? null : this.#firstT - this.#startedT;
  }

  #measured(perSecond: number | null): Node["timings"] {
    return {
      ...(this.#firstMs === null ? {} : { first_token_ms: this.#firstMs }),
      ...(perSecond === null ? {} : { tokens_per_second: perSecond }),
    };
  }

  /** Show at the next frame, or the one after it; later where frames come late because there is much to show. */
  #soon(): () => void {
    if (document.visibilityState === "hidden") return after(HIDDEN_MS, () => this.show());
    let askedAt = performance.now();
    let stop = (): void => undefined;
    const frame = (): void => {
      if (performance.now() - this.#shownAt < LEAST_MS) {
        askedAt = performance.now();
        next();
        return;
      }
      const lateMs = performance.now() - Math.max(askedAt, this.#shownAt);
      this.#waitMs = lateMs > 40 ? Math.min(SLOWEST_MS, this.#waitMs * 1.5 + 16) : this.#waitMs * 0.8;
      if (this.#waitMs < 16) this.show();
      else stop = after(this.#waitMs, () => this.show());
    };
    const next = (): void => {
      const id = requestAnimationFrame(frame);
      stop = () => cancelAnimationFrame(id);
    };
    next();
    // no frames come to a page that is hidden meanwhile
    const anyway = after(2 * HIDDEN_MS, () => this.show());
    return () => {
      stop();
      anyway();
    };
  }
}

const NOTHING: Live = {
  phase: { kind: "waiting" },
  since: Date.now(),
  stopping: false,
  pieces: 0,
  perSecond: null,
  firstMs: null,
  maxTokens: null,
};

const SPOKEN: Readonly<Record<Terminal["type"], string>> = {
  "run.finished": "The answer is complete.",
  "run.stopped": "Stopped.",
  "run.failed": "The answer failed.",
  "run.interrupted": "The answer was interrupted.",
};

function statusIn(phase: Phase | undefined): Node["status"] {
  switch (phase?.kind) {
    case "queued":
    case "loading":
      return phase.kind;
    case "thinking":
    case "writing":
      return "streaming";
    default:
      return "reading";
  }
}

function limitIn(parameters: Readonly<Record<string, unknown>> | undefined): number | null {
  const limit = parameters?.["max_tokens"];
  return typeof limit === "number" ? limit : null;
}

function after(ms: number, then: () => void): () => void {
  const timer = setTimeout(then, ms);
  return () => clearTimeout(timer);
}
