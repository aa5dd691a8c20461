/** Requests to one server, and the frames of its streams. The only place that calls fetch. */

import { ClientError, refusal } from "./errors.ts";
import { type Frame, SseDecoder } from "./sse.ts";

export interface ServerOptions {
  /** The server's root, as `http://127.0.0.1:8000`; left out, that of the page. */
  readonly baseUrl?: string;
  /** An access token; goes along as Bearer. */
  readonly token?: string;
  readonly fetch?: typeof globalThis.fetch;
  /** How long a stream may be silent until it counts as lost: room for two of the server's keepalives (15 s). */
  readonly silenceMs?: number;
}

export interface Sending {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** Return the error of a connection that broke, or was never made: fetch does not tell the two apart. */
export function lost(message: string, cause?: unknown): ClientError {
  return new ClientError(message, { code: "connection_lost", retryable: true, cause });
}

/** Return the error of an answer that no Headrace server gives. */
export function garbled(message: string, cause?: unknown): ClientError {
  return new ClientError(`What answers is no Headrace server: ${message}`, { code: "no_headrace", cause });
}

export class Server {
  readonly #baseUrl: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #fetch: typeof globalThis.fetch;
  readonly #silenceMs: number;

  constructor(options: ServerOptions = {}) {
    this.#baseUrl = (options.baseUrl ?? "").replace(/\/+$/, "");
    this.#headers = options.token === undefined ? {} : { Authorization: `Bearer ${options.token}` };
    this.#fetch = options.fetch ?? ((...request) => globalThis.fetch(...request));
    this.#silenceMs = options.silenceMs ?? 40_000;
  }

  /** Return the JSON that the server answers; null where it answers nothing. */
  async ask(method: string, path: string, sending: Sending = {}): Promise<unknown> {
    return this.#within(sending.signal, async (connection) => {
      const reply = await this.#send(method, path, sending, connection);
      const text = await connection.wait(reply.text());
      try {
        return text === "" ? null : JSON.parse(text);
      } catch (error) {
        throw garbled(`${text.slice(0, 80)} is not JSON`, error);
      }
    });
  }

  /**
   * Open an event stream. `opened` is given the reply's head; then its frames come, one array for each read.
   *
   * Throws an `ApiError` for a refusal, a `ClientError` where the stream breaks or falls silent, and the signal's
   * reason. That it returns says nothing about what was in the stream. Leaving the iteration hangs up.
   */
  async *stream(
    method: string,
    path: string,
    sending: Sending,
    opened: (reply: Response) => void,
  ): AsyncGenerator<Frame[], void, undefined> {
    sending.signal?.throwIfAborted();
    const connection = new Connection(this.#silenceMs, sending.signal);
    try {
      const headers = { Accept: "text/event-stream", ...sending.headers };
      const reply = await this.#send(method, path, { ...sending, headers }, connection);
      if (reply.status !== 204 && !(reply.headers.get("content-type") ?? "").startsWith("text/event-stream")) {
        throw garbled("its answer is no event stream");
      }
      opened(reply);
      if (reply.status === 204 || reply.body === null) return;
      const reader = reply.body.getReader();
      const decoder = new SseDecoder();
      for (;;) {
        const { done, value } = await connection.wait(reader.read());
        if (done) return;
        const frames = decoder.feed(value);
        if (frames.length > 0) yield frames;
      }
    } catch (error) {
      throw connection.reasonFor(error);
    } finally {
      connection.close();
    }
  }

  async #within<T>(signal: AbortSignal | undefined, work: (connection: Connection) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const connection = new Connection(this.#silenceMs, signal);
    try {
      return await work(connection);
    } catch (error) {
      throw connection.reasonFor(error);
    } finally {
      connection.close();
    }
  }

  async #send(method: string, path: string, sending: Sending, connection: Connection): Promise<Response> {
    const kind = sending.body === undefined ? {} : { "Content-Type": "application/json" };
    const reply = await connection.wait(
      this.#fetch(this.#baseUrl + path, {
        method,
        cache: "no-store",
        headers: { ...this.#headers, ...kind, ...sending.headers },
        signal: connection.signal,
        ...(sending.body === undefined ? {} : { body: JSON.stringify(sending.body) }),
      }),
    );
    if (!reply.ok) throw await connection.wait(refusal(reply));
    return reply;
  }
}

/**
 * One request and its reply: ended by its user's signal, by silence, or by `close`.
 *
 * A stream waits thousands of times. So there is one listener and one timer for all of them, and no wait makes its own.
 */
class Connection {
  readonly #controller = new AbortController();
  readonly #silenceMs: number;
  readonly #user: AbortSignal | undefined;
  readonly #abort = (): void => this.#controller.abort(this.#user?.reason);
  #timer: ReturnType<typeof setTimeout> | null = null;
  #since = 0;
  #reject: ((reason: unknown) => void) | null = null; // of what is waited for

  constructor(silenceMs: number, user: AbortSignal | undefined) {
    this.#silenceMs = silenceMs;
    this.#user = user;
    if (user?.aborted) this.#abort();
    else user?.addEventListener("abort", this.#abort, { once: true });
    this.signal.addEventListener("abort", () => this.#reject?.(this.signal.reason), { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * Return what this promise gives; one at a time. Rejects at once when the connection ends, and when it is silent for
   * too long.
   */
  async wait<T>(work: Promise<T>): Promise<T> {
    try {
      return await new Promise<T>((resolve, reject) => {
        work.then(resolve, reject);
        this.#reject = reject;
        this.#since = performance.now();
        if (this.signal.aborted) reject(this.signal.reason);
        else this.#timer ??= setTimeout(this.#look, this.#silenceMs);
      });
    } finally {
      this.#reject = null;
    }
  }

  /** End the connection if it was silent for too long; look again when it may have been. */
  readonly #look = (): void => {
    this.#timer = null;
    if (this.#reject === null) return; // nothing is waited for
    const leftMs = this.#silenceMs - (performance.now() - this.#since);
    if (leftMs > 0) this.#timer = setTimeout(this.#look, leftMs);
    else this.#controller.abort(lost(`The server was silent for ${this.#silenceMs / 1000} s.`));
  };

  /** Return what ended the connection: the user, one of our own errors, or else the way to the server. */
  reasonFor(error: unknown): unknown {
    if (this.#user?.aborted) return this.#user.reason;
    return error instanceof ClientError ? error : lost("The connection to the server was lost.", error);
  }

  close(): void {
    this.#user?.removeEventListener("abort", this.#abort);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#controller.abort();
  }
}
