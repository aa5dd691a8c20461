/**
 * What comes back from a model: the events of the native API, a closed union by `type`. See docs/events.md.
 *
 * Every event has `t`, the milliseconds since `run.started`. A field that has its default is left out on the wire.
 */

export interface Route {
  readonly category: string;
  readonly reason: string;
}

/** How long it took, in milliseconds, and how fast it went. */
export interface Timings {
  readonly queued_ms?: number;
  readonly loading_ms?: number;
  readonly first_token_ms?: number;
  readonly generation_ms?: number;
  readonly total_ms?: number;
  readonly prompt_tokens_per_second?: number;
  readonly tokens_per_second?: number;
}

interface Base<Type extends string> {
  readonly type: Type;
  readonly t: number;
}

/** Always event 0. */
export interface RunStarted extends Base<"run.started"> {
  readonly run_id: string;
  readonly chat_id?: number;
  readonly user_message_id?: number;
  readonly assistant_message_id?: number;
  readonly model_requested?: string;
  readonly model?: string;
  readonly route?: Route;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly continues?: boolean;
  readonly simulated?: boolean;
  readonly cached?: boolean;
}

/** The run waits for room; `place` counts from 1. */
export interface RunQueued extends Base<"run.queued"> {
  readonly place: number;
}

/** The model is being loaded; `progress` from 0 to 1 where it is known. */
export interface ModelLoading extends Base<"model.loading"> {
  readonly model: string;
  readonly progress?: number;
}

export interface ModelReady extends Base<"model.ready"> {
  readonly model: string;
}

/** Another model answers than was asked for. */
export interface ModelSwitched extends Base<"model.switched"> {
  readonly from: string;
  readonly to: string;
  readonly reason: string;
}

/** The model has read so many tokens of the prompt. */
export interface PromptProgress extends Base<"prompt.progress"> {
  readonly read: number;
  readonly total: number;
  readonly cached?: number;
}

/** The numbered sources of this answer. */
export interface Sources extends Base<"sources"> {
  readonly sources: readonly Readonly<Record<string, unknown>>[];
}

/** The next piece of the answer; with `from`, all pieces from that event on to this one, merged. */
export interface Text extends Base<"text"> {
  readonly delta: string;
  readonly from?: number;
}

/** The next piece of the model's thoughts. */
export interface Reasoning extends Base<"reasoning"> {
  readonly delta: string;
}

/** A picture, as base64. */
export interface Image extends Base<"image"> {
  readonly media_type: string;
  readonly data: string;
}

/** A complete call that the model asks for; `arguments` is JSON text as the model wrote it. */
export interface ToolCall extends Base<"tool.call"> {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

export interface ToolResult extends Base<"tool.result"> {
  readonly id: string;
  readonly text: string;
}

/** Corrections of the user's message; null where the corrector failed or was too slow. */
export interface Corrections extends Base<"corrections"> {
  readonly corrections: readonly Readonly<Record<string, unknown>>[] | null;
}

/** What the upstream said besides, in OpenAI's chat format, for clients that speak it too. */
export interface Extra extends Base<"extra"> {
  readonly chunk?: Readonly<Record<string, unknown>>;
  readonly choice?: Readonly<Record<string, unknown>>;
  readonly delta?: Readonly<Record<string, unknown>>;
  readonly usage?: Readonly<Record<string, unknown>>;
}

/** What the answer took, in tokens; `estimated` until and unless the provider counted. */
export interface Usage extends Base<"usage"> {
  readonly input_tokens?: number;
  readonly output_tokens?: number;
  readonly reasoning_tokens?: number;
  readonly cached_tokens?: number;
  readonly estimated?: boolean;
  readonly timings?: Timings;
}

export interface RunFinished extends Base<"run.finished"> {
  readonly reason: "stop" | "length" | "content_filter" | "tool_calls";
}

export interface RunStopped extends Base<"run.stopped"> {
  readonly by: string;
}

export interface RunFailed extends Base<"run.failed"> {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  /** What the model's server answered, where it refused the request or had no room for it. */
  readonly refusal?: {
    readonly status: number;
    readonly param?: string;
    readonly code?: string;
    readonly retry_after_s?: number;
  };
}

export interface RunInterrupted extends Base<"run.interrupted"> {
  readonly reason: "crash" | "shutdown";
}

/** Exactly one of these ends a run, and nothing follows it. */
export type Terminal = RunFinished | RunStopped | RunFailed | RunInterrupted;

export type RunEvent =
  | RunStarted
  | RunQueued
  | ModelLoading
  | ModelReady
  | ModelSwitched
  | PromptProgress
  | Sources
  | Text
  | Reasoning
  | Image
  | ToolCall
  | ToolResult
  | Corrections
  | Extra
  | Usage
  | Terminal;

/** An event and its sequence number in the run; of merged texts the last one's. */
export interface Entry {
  readonly seq: number;
  readonly event: RunEvent;
}

const TERMINAL: ReadonlySet<string> = new Set(["run.finished", "run.stopped", "run.failed", "run.interrupted"]);

const TYPES: ReadonlySet<string> = new Set([
  ...TERMINAL,
  "run.started",
  "run.queued",
  "model.loading",
  "model.ready",
  "model.switched",
  "prompt.progress",
  "sources",
  "text",
  "reasoning",
  "image",
  "tool.call",
  "tool.result",
  "corrections",
  "extra",
  "usage",
]);

/** Return whether this event ends its run. */
export function isTerminal(event: RunEvent): event is Terminal {
  return TERMINAL.has(event.type);
}

/** Return whether this is an event of this version; those of later ones are passed over. */
export function isKnown(value: { readonly type: string }): value is RunEvent {
  return TYPES.has(value.type);
}
