/** Events to the message that they make, as core/fold.py does it. */

import type { RunEvent, Terminal, Usage } from "./events.ts";

export type Part =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  | { readonly type: "image"; readonly media_type: string; readonly data: string }
  | { readonly type: "tool_call"; readonly id: string; readonly name: string; readonly arguments: string }
  | { readonly type: "tool_result"; readonly id: string; readonly text: string };

export type EndStatus = "complete" | "stopped" | "failed" | "interrupted";
export type Status = "queued" | "loading" | "reading" | "streaming" | EndStatus;

/** Return the status of a run that ended with this event. */
export function statusOf(terminal: Terminal): EndStatus {
  switch (terminal.type) {
    case "run.finished":
      return "complete";
    case "run.stopped":
      return "stopped";
    case "run.failed":
      return "failed";
    case "run.interrupted":
      return "interrupted";
    default:
      return unreachable(terminal);
  }
}

export interface FoldOptions {
  /** What the message has already: the events go on in the last of these parts. */
  readonly parts?: readonly Part[];
  /** Begin another part of the same kind where a text has so many letters: what is in the former ones is copied no more. */
  readonly longest?: number;
}

/** The message so far: feed events in order, read the attributes at any time. Parts are replaced, never changed. */
export class Fold {
  /** The number of events fed minus one: the last one's sequence number when all of a run's events are fed. */
  seq = -1;
  model: string | null = null;
  usage: Usage | null = null;
  terminal: Terminal | null = null;
  readonly #parts: Part[];
  readonly #longest: number;

  constructor({ parts = [], longest = Infinity }: FoldOptions = {}) {
    this.#parts = [...parts];
    this.#longest = longest;
  }

  /** The parts so far; adjacent pieces of one kind are one part, up to `longest`. */
  get parts(): readonly Part[] {
    return [...this.#parts];
  }

  /** The terminal status, or null while the run goes on. */
  get status(): EndStatus | null {
    return this.terminal === null ? null : statusOf(this.terminal);
  }

  /** The text so far, without thoughts, images and tools. */
  get text(): string {
    return textOf(this.#parts);
  }

  /** Take the next event of the run, or `count` of them of which this one has the deltas. */
  feed(event: RunEvent, count = 1): void {
    this.seq += count;
    switch (event.type) {
      case "text":
      case "reasoning":
        this.#piece(event.type, event.delta);
        return;
      case "image":
        this.#parts.push({ type: "image", media_type: event.media_type, data: event.data });
        return;
      case "tool.call":
        this.#parts.push({ type: "tool_call", id: event.id, name: event.name, arguments: event.arguments });
        return;
      case "tool.result":
        this.#parts.push({ type: "tool_result", id: event.id, text: event.text });
        return;
      case "usage":
        this.usage = event;
        return;
      case "run.started":
      case "model.ready":
        this.model = event.model || this.model;
        return;
      case "model.switched":
        this.model = event.to || this.model;
        return;
      case "run.finished":
      case "run.stopped":
      case "run.failed":
      case "run.interrupted":
        this.terminal = event;
        return;
      case "run.queued":
      case "model.loading":
      case "prompt.progress":
      case "sources":
      case "corrections":
      case "extra":
        return;
      default:
        unreachable(event);
    }
  }

  #piece(type: "text" | "reasoning", delta: string): void {
    if (delta === "") return;
    const last = this.#parts.at(-1);
    if (last?.type === type && last.text.length < this.#longest) this.#parts[this.#parts.length - 1] = { type, text: last.text + delta };
    else this.#parts.push({ type, text: delta });
  }
}

/** Return the parts of a message that was continued: text goes on in the part where it broke off. */
export function join(before: readonly Part[], after: readonly Part[]): readonly Part[] {
  const last = before.at(-1);
  const first = after[0];
  if (last?.type === "text" && first?.type === "text") {
    return [...before.slice(0, -1), { type: "text", text: last.text + first.text }, ...after.slice(1)];
  }
  return [...before, ...after];
}

/** Return the text of the parts in order, without thoughts, images and tools. */
export function textOf(parts: readonly Part[]): string {
  return parts.map((part) => (part.type === "text" ? part.text : "")).join("");
}

function unreachable(value: never): never {
  throw new Error(`There is no such event: ${JSON.stringify(value)}`);
}
