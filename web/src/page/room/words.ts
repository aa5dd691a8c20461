/** What tabs and their hub say to each other, and what a tab wants of the room in which it hears of runs. */

import type { Entry } from "../../client/index.ts";

/** One event of a run, or some in one: those from number `from` to number `seq`. */
export interface Piece extends Entry {
  readonly from: number;
}

/** What hears of one run. */
export interface Listener {
  /** The next events, in order, each once. The last of all is the run's end. */
  pieces(pieces: readonly Piece[]): void;
  /** There is nothing more to hear: the run has ended, or its message has to be asked for again. */
  ended(): void;
}

/** What the server tells of a user's chats, messages, runs and models: that something changed, never what. */
export interface Notice {
  readonly type: string;
  readonly chat_id?: number;
  readonly message_id?: number;
  readonly run_id?: string;
  readonly status?: string;
  readonly provider?: string;
}

/** What is not about one run's text. */
export type News =
  | { readonly type: "lost"; readonly attempt: number }
  /** From here on notices come. What was asked of the server before may have changed. */
  | { readonly type: "found" }
  | { readonly type: "notice"; readonly notice: Notice }
  | { readonly type: "unauthorized" };

/** Where a tab hears of runs and of what changes. */
export interface Room {
  /** Hear of a run what comes after this event; the answer leaves it. One listener for each run. */
  follow(runId: string, after: number, listener: Listener): () => void;
  /** Hear the news; the answer ends it. */
  hear(listener: (news: News) => void): () => void;
  /** Have the server asked again, where it refused. */
  wake(): void;
}

export type ToHub =
  | { readonly type: "follow"; readonly runId: string; readonly after: number }
  | { readonly type: "leave"; readonly runId: string }
  | { readonly type: "here" }
  | { readonly type: "bye" };

export type ToTab =
  | { readonly type: "pieces"; readonly runId: string; readonly pieces: readonly Piece[] }
  | { readonly type: "ended"; readonly runId: string }
  | { readonly type: "hub" }
  | News;

/** A tab, as its hub sees it. */
export interface Port {
  send(message: ToTab): void;
}
