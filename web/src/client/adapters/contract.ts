/** What the adapters share: a request to one of the contracts that Headrace speaks, and the objects of its stream. */

import { ClientError, isObject } from "../errors.ts";
import { garbled, lost, Server, type ServerOptions } from "../http.ts";

export interface ServiceOptions extends ServerOptions {
  /** Asked once for each message: an abort hangs up, which stops the answer. The promise rejects with its reason. */
  readonly signal?: () => AbortSignal | undefined;
}

export type Data = Readonly<Record<string, unknown>>;

export class Service {
  readonly #server: Server;
  readonly #signal: () => AbortSignal | undefined;

  constructor(options: ServiceOptions = {}) {
    this.#server = new Server(options);
    this.#signal = options.signal ?? (() => undefined);
  }

  /**
   * Post a message and return the objects of the stream, as they come, up to the one that `take` says is the last.
   *
   * Throws a `ClientError` where the server refuses, the connection breaks, or the stream ends before that one: an
   * answer that was cut off is never taken for a whole one. What `take` throws comes out as it is.
   */
  async post(path: string, body: Data, take: (data: Data) => "last" | void): Promise<void> {
    const signal = this.#signal();
    const stream = this.#server.stream("POST", path, { body, signal }, () => undefined);
    for await (const frames of stream) {
      for (const frame of frames) {
        signal?.throwIfAborted();
        if (take(parse(frame.data)) === "last") return;
      }
    }
    throw lost("The connection ended before the answer did.");
  }
}

/** Return the error that a contract's error event is. */
export function failed(message: unknown, data: Data): ClientError {
  const { code, retryable } = data;
  return new ClientError(String(message), {
    code: typeof code === "string" ? code : "failed",
    retryable: retryable === true,
  });
}

/** Return a piece of text; of anything else nothing. */
export function textIn(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function parse(text: string): Data {
  let value: unknown = null;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw garbled(`${text.slice(0, 80)} is not JSON`, error);
  }
  if (!isObject(value)) throw garbled(`${text.slice(0, 80)} is no object`);
  return value;
}
