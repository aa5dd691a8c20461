/** What the page knows of chats, and in which words. */

import type { Failure, Part, RunEvent, Status } from "../../client/index.ts";
import type { Usage } from "../../client/replies.ts";
import type { Timings } from "../../client/events.ts";

/** What a message is known by for as long as the page lives: it stays when the server gives the message its id. */
export type Key = string;

/** What goes on before the first word, and while they come. */
export type Phase =
  | { readonly kind: "sending" }
  | { readonly kind: "waiting" }
  | { readonly kind: "queued"; readonly place: number | null }
  | { readonly kind: "loading"; readonly model: string | null; readonly progress: number | null }
  | { readonly kind: "reading"; readonly read: number; readonly total: number }
  | { readonly kind: "thinking" }
  | { readonly kind: "writing" };

/** What is known of an answer only while it is made. */
export interface Live {
  readonly phase: Phase;
  /** By this machine's clock, in milliseconds. */
  readonly since: number;
  readonly stopping: boolean;
  /** Pieces that came: an estimate of the tokens. */
  readonly pieces: number;
  readonly perSecond: number | null;
  /** Milliseconds from the run's start to its first piece, where this page saw it. */
  readonly firstMs: number | null;
  readonly maxTokens: number | null;
}

export interface Switch {
  readonly from: string;
  readonly to: string;
  readonly reason: string;
}

export interface Node {
  readonly key: Key;
  /** The server's; null until it has said it. */
  readonly id: number | null;
  readonly parent: Key | null;
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly parts: readonly Part[];
  readonly status: Status;
  readonly model: string | null;
  readonly runs: readonly string[];
  readonly usage: Usage | null;
  readonly timings: Timings | null;
  readonly error: Failure | null;
  readonly finish: string | null;
  readonly createdAt: number;
  readonly live: Live | null;
  readonly switched: Switch | null;
  readonly sources: readonly Readonly<Record<string, unknown>>[];
  readonly corrections: readonly Readonly<Record<string, unknown>>[];
}

/** A chat by the page's key; `id` is null until the server has made it. */
export interface Talk {
  readonly key: Key;
  readonly id: number | null;
  readonly title: string | null;
  readonly model: string | null;
  readonly nodes: Readonly<Record<Key, Node>>;
  readonly leaf: Key | null;
  readonly state: "loading" | "ready" | "missing" | "unreachable";
}

export const LIVE: ReadonlySet<Status> = new Set(["queued", "loading", "reading", "streaming"]);

export type Sourced = Extract<RunEvent, { type: "sources" | "corrections" }>;
