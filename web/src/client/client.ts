/** The client of a server's native API: chats, turns, runs and models. */

import { Answer, type ReadOptions } from "./answer.ts";
import type { Part } from "./fold.ts";
import { Server, type ServerOptions } from "./http.ts";
import { newUuid } from "./ids.ts";
import type { Chat, ChatPage, Message, Model, Run, RunPage, Stopped, Tree } from "./replies.ts";

export type Parameters = Readonly<Record<string, unknown>>;

/** How an answer is made and read. The same `clientId`, a UUID, twice is the same turn; left out, one is made. */
export interface GenerationOptions extends ReadOptions {
  readonly model?: string;
  readonly parameters?: Parameters;
  readonly clientId?: string;
}

export interface TurnOptions extends GenerationOptions {
  /** The message that is answered: left out, the chat's current leaf; null, nothing (a new beginning). */
  readonly parentId?: number | null;
  readonly templateId?: number;
  readonly documentIds?: readonly number[];
}

export interface FollowOptions extends ReadOptions {
  /** Go on after the event of this number. */
  readonly after?: number;
  /** With the timing that the run had, so many times as fast; 0 is at once. */
  readonly speed?: number;
}

export interface ChatFields {
  readonly title?: string | null;
  readonly model?: string | null;
  readonly system_prompt?: string | null;
  readonly parameters?: Parameters;
}

export interface PageOptions {
  readonly limit?: number;
  readonly before?: string;
}

export type Sent = Extract<Part, { type: "text" | "image" }>;

/** A client of one server. Every call throws an `ApiError` with the server's code, or a `ClientError`. */
export class Client {
  readonly chats: Chats;
  readonly messages: Messages;
  readonly runs: Runs;
  readonly models: Models;
  readonly #server: Server;

  constructor(options: ServerOptions = {}) {
    this.#server = new Server(options);
    this.chats = new Chats(this.#server);
    this.messages = new Messages(this.#server);
    this.runs = new Runs(this.#server);
    this.models = new Models(this.#server);
  }

  /** Return the answer to a new message of the user's. The request is sent when it is first read. */
  turn(chatId: number, content: string | readonly Sent[], options: TurnOptions = {}): Answer {
    const { parentId, templateId, documentIds } = options;
    return this.#start(`/api/v1/chats/${chatId}/turns`, options, {
      ...(typeof content === "string" ? { content } : { parts: content }),
      parent_id: parentId,
      template_id: templateId,
      document_ids: documentIds,
    });
  }

  /** Return another answer beside this message, or below it where it is the user's. */
  regenerate(messageId: number, options: GenerationOptions = {}): Answer {
    return this.#start(`/api/v1/messages/${messageId}/regenerate`, options, {});
  }

  /** Return how an answer that was cut goes on. Its parts are the new ones: `join` puts them to those before. */
  resume(messageId: number, options: GenerationOptions = {}): Answer {
    return this.#start(`/api/v1/messages/${messageId}/continue`, options, {});
  }

  /** Return a run that there is. */
  follow(runId: string, options: FollowOptions = {}): Answer {
    const { after = -1, speed = 0 } = options;
    return new Answer(this.#server, { runId, after, speed }, options);
  }

  #start(path: string, options: GenerationOptions, fields: Readonly<Record<string, unknown>>): Answer {
    const { model, parameters, clientId = newUuid() } = options;
    // what is undefined does not go into JSON
    return new Answer(this.#server, { path, body: { ...fields, model, parameters, client_id: clientId } }, options);
  }
}

class Chats {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  /** Make a chat. */
  async create(fields: ChatFields = {}): Promise<Chat> {
    return (await this.#server.ask("POST", "/api/v1/chats", { body: fields })) as Chat;
  }

  /** Return a page of chats, the last used first; with `matching` those that have it in title or messages. */
  async list(options: PageOptions & { readonly matching?: string } = {}): Promise<ChatPage> {
    const { matching, limit, before } = options;
    return (await this.#server.ask("GET", `/api/v1/chats${query({ query: matching, limit, before })}`)) as ChatPage;
  }

  /** Return a chat with its messages. */
  async get(chatId: number): Promise<Tree> {
    return (await this.#server.ask("GET", `/api/v1/chats/${chatId}`)) as Tree;
  }

  /** Change what is given; null clears. `leaf_id` is the message at which the conversation goes on. */
  async change(chatId: number, fields: ChatFields & { readonly leaf_id?: number }): Promise<Chat> {
    return (await this.#server.ask("PATCH", `/api/v1/chats/${chatId}`, { body: fields })) as Chat;
  }

  /** Remove a chat: its runs are stopped, its messages and all their events are gone. */
  async delete(chatId: number): Promise<void> {
    await this.#server.ask("DELETE", `/api/v1/chats/${chatId}`);
  }
}

class Messages {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  /** Return a message. While it is being made, `follow(runs.at(-1), {after: seq})` goes on without a gap. */
  async get(messageId: number): Promise<Message> {
    return (await this.#server.ask("GET", `/api/v1/messages/${messageId}`)) as Message;
  }

  /** Remove a message and all that follows it. */
  async delete(messageId: number): Promise<void> {
    await this.#server.ask("DELETE", `/api/v1/messages/${messageId}`);
  }
}

class Runs {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  /** Return a page of runs, the newest first; with `statuses` those that have one of them. */
  async list(options: PageOptions & { readonly statuses?: readonly string[] } = {}): Promise<RunPage> {
    const { statuses = [], limit, before } = options;
    const status = statuses.length > 0 ? statuses.join(",") : undefined;
    return (await this.#server.ask("GET", `/api/v1/runs${query({ status, limit, before })}`)) as RunPage;
  }

  async get(runId: string): Promise<Run> {
    return (await this.#server.ask("GET", `/api/v1/runs/${encodeURIComponent(runId)}`)) as Run;
  }

  /** Stop a run; answered once its end is durable. Harmless when repeated. */
  async stop(runId: string): Promise<Stopped> {
    return (await this.#server.ask("POST", `/api/v1/runs/${encodeURIComponent(runId)}/stop`)) as Stopped;
  }
}

class Models {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  /** Return all models, those of providers that are down included. */
  async list(): Promise<readonly Model[]> {
    return ((await this.#server.ask("GET", "/api/v1/models")) as { models: readonly Model[] }).models;
  }
}

function query(fields: Readonly<Record<string, string | number | undefined>>): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) given.set(name, String(value));
  const text = given.toString();
  return text === "" ? "" : `?${text}`;
}
