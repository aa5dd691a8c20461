/** What the native API answers. Times are Unix milliseconds. */

import type { Timings } from "./events.ts";
import type { Part, Status } from "./fold.ts";

export interface Usage {
  readonly input_tokens: number | null;
  readonly output_tokens: number | null;
  readonly reasoning_tokens: number | null;
  readonly cached_tokens: number | null;
  readonly estimated: boolean;
}

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
}

/** A chat without its messages. `leaf_id` is the message at which it goes on. */
export interface Chat {
  readonly id: number;
  readonly owner_id: number;
  readonly title: string | null;
  readonly model: string | null;
  readonly system_prompt: string | null;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly leaf_id: number | null;
  readonly created_at: number;
  readonly updated_at: number;
}

/** A message. While it is being made, `parts` are those so far and `seq` is the last event that they hold. */
export interface Message {
  readonly id: number;
  readonly chat_id: number;
  readonly parent_id: number | null;
  readonly owner_id: number;
  readonly author_id: number | null;
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly parts: readonly Part[];
  readonly status: Status;
  readonly seq: number | null;
  readonly model: string | null;
  readonly runs: readonly string[];
  readonly usage: Usage | null;
  readonly timings: Timings | null;
  readonly error: Failure | null;
  readonly finish_reason: string | null;
  readonly created_at: number;
  readonly updated_at: number;
}

/** A chat with all its messages; `parent_id` makes them a tree. */
export interface Tree extends Chat {
  readonly messages: readonly Message[];
}

/** `next` is the value of `before` for the next page. */
export interface ChatPage {
  readonly chats: readonly Chat[];
  readonly next: string | null;
}

export interface Run {
  readonly id: string;
  readonly owner_id: number;
  readonly chat_id: number | null;
  readonly user_message_id: number | null;
  readonly assistant_message_id: number | null;
  readonly status: Status;
  readonly model_requested: string;
  readonly model: string | null;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly continues: boolean;
  readonly usage: Usage | null;
  readonly timings: Timings | null;
  readonly error: Failure | null;
  readonly created_at: number;
  readonly ended_at: number | null;
  readonly events: string;
}

/** `next` is the value of `before` for the next page. */
export interface RunPage {
  readonly runs: readonly Run[];
  readonly next: string | null;
}

export interface Stopped {
  readonly run_id: string;
  readonly status: Status;
}

/** A model, and whether its provider answers; `reason` says why not. */
export interface Model {
  readonly id: string;
  readonly name: string;
  readonly provider: string;
  readonly state: "up" | "loading" | "down" | "off";
  readonly reason: string | null;
  readonly context_length: number | null;
  readonly can_continue: boolean;
  readonly demonstration: boolean;
}
