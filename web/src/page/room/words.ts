/** What tabs and their hub say to each other, and what a tab wants of the room in which it hears of runs. */

import type { Entry, Run } from "../../client/index.ts";

/** What hears of one run. */
export interface Listener {
  /** The next events, in order, each once. The last of all is the run's end. */
  entries(entries: readonly Entry[]): void;
  /** The server has nothing more to tell, or refuses to. */
  ended(refusal: Refusal | null): void;
}

export interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** What is not about one run's text. */
export type News =
  | { readonly type: "lost"; readonly attempt: number }
  | { readonly type: "found" }
  /** The newest runs, those that have ended too. */
  | { readonly type: "runs"; readonly runs: readonly Run[] }
  | { readonly type: "changed"; readonly chatId: number | null }
  | { readonly type: "unauthorized" };

/**
 * Where a tab hears of runs. It makes no matter how: today the hub follows them one by one, and `GET /events`, one
 * stream for all of a browser's runs, can take its place behind this.
 */
export interface Room {
  /** Hear of a run what comes after this event; the answer leaves it. One listener for each run. */
  follow(runId: string, after: number, listener: Listener): () => void;
  /** Hear the news; the answer ends it. */
  hear(listener: (news: News) => void): () => void;
  /** Tell all other tabs that a chat is not as it was; null: the list of chats. */
  changed(chatId: number | null): void;
}

export type ToHub =
  | { readonly type: "follow"; readonly runId: string; readonly after: number }
  | { readonly type: "leave"; readonly runId: string }
  | { readonly type: "changed"; readonly chatId: number | null }
  | { readonly type: "here"; readonly visible: boolean }
  | { readonly type: "bye" };

export type ToTab =
  | { readonly type: "entries"; readonly runId: string; readonly entries: readonly Entry[] }
  | { readonly type: "ended"; readonly runId: string; readonly refusal: Refusal | null }
  | { readonly type: "hub" }
  | News;

/** A tab, as its hub sees it. */
export interface Port {
  send(message: ToTab): void;
}
