/** Headrace's client. The adapters of the replaced front ends are in `adapters/`. */

export { Answer, type ReadOptions } from "./answer.ts";
export { Backoff, type BackoffOptions } from "./backoff.ts";
export { Client, type FollowOptions, type GenerationOptions, type TurnOptions } from "./client.ts";
export { ApiError, ClientError } from "./errors.ts";
export * from "./events.ts";
export { type EndStatus, Fold, type FoldOptions, join, type Part, type Status, statusOf, textOf } from "./fold.ts";
export type { ServerOptions } from "./http.ts";
export type { Chat, ChatPage, Failure, Message, Model, Run, RunPage, Stopped, Tree } from "./replies.ts";
export { type Frame, SseDecoder } from "./sse.ts";
