/** One run read to its end, over as many connections as that takes. */

import { Backoff, type BackoffOptions, sleep } from "./backoff.ts";
import { ApiError, ClientError, isObject } from "./errors.ts";
import { type Entry, type RunEvent, isKnown, isTerminal } from "./events.ts";
import { type EndStatus, Fold } from "./fold.ts";
import { garbled, lost, type Server } from "./http.ts";
import type { Frame } from "./sse.ts";

/** What a run is known by: the request that starts it (its body has a `client_id`: it can be sent again), or its id. */
export type Origin =
  | { readonly path: string; readonly body: Readonly<Record<string, unknown>> }
  | { readonly runId: string; readonly after: number; readonly speed: number };

export interface ReadOptions {
  /** Ends the reading, not the run: for that there is `stop`. */
  readonly signal?: AbortSignal | undefined;
  readonly backoff?: BackoffOptions;
  /** Told that the connection is lost, why, and the milliseconds until it is tried again. */
  readonly onLost?: (error: ClientError, waitMs: number) => void;
  /** Told that there is a connection. */
  readonly onFound?: () => void;
}

const STOP_MS = 10_000;
const PASSING: ReadonlySet<number> = new Set([408, 429]);

/**
 * A run's events in order, each once. Nothing is sent before the first is asked for.
 *
 * A connection that breaks is made again, for ever, and the run goes on after its last event. Iterating ends with an
 * error only where the server refuses (an `ApiError`: what refuses the turn, later a 4xx other than 408 and 429), or
 * with the signal's reason. That a run fails is an event. Leaving an iteration hangs up and ends nothing: the next one
 * goes on where it stopped.
 */
export class Answer implements AsyncIterable<Entry> {
  /** Resolves to the run's id as soon as the server has said it; rejects where it refuses. */
  readonly started: Promise<string>;
  readonly #server: Server;
  readonly #origin: Origin;
  readonly #options: ReadOptions;
  readonly #fold = new Fold();
  #seq: number;
  #runId: string | null;
  #reading = false;
  #ended = false;
  #backoff: Backoff;
  #named: (runId: string) => void = () => undefined;
  #refused: (error: unknown) => void = () => undefined;

  constructor(server: Server, origin: Origin, options: ReadOptions = {}) {
    this.#server = server;
    this.#origin = origin;
    this.#options = options;
    this.#backoff = new Backoff(options.backoff);
    this.#runId = "runId" in origin ? origin.runId : null;
    this.#seq = "runId" in origin ? origin.after : -1;
    this.started = new Promise((resolve, reject) => {
      this.#named = resolve;
      this.#refused = reject;
    });
    this.started.catch(() => undefined); // who does not ask has no unhandled rejection
    if (this.#runId !== null) this.#named(this.#runId);
  }

  /** The run's id; null until the server has said it. */
  get runId(): string | null {
    return this.#runId;
  }

  /** The number of the last event that was returned. */
  get seq(): number {
    return this.#seq;
  }

  /** The message so far, as the events that were returned make it. */
  get message(): Fold {
    return this.#fold;
  }

  [Symbol.asyncIterator](): AsyncGenerator<Entry, void, undefined> {
    return this.#entries();
  }

  /**
   * Read to the end and return the whole text, without thoughts; of a run that was stopped, what there is.
   *
   * Throws as iterating does, and a `ClientError` with the run's code where it failed (`interrupted` where the server
   * went away in mid-answer). `message` has what came before.
   */
  async text(): Promise<string> {
    for await (const _ of this);
    const end = this.#fold.terminal;
    if (end?.type === "run.failed") throw new ClientError(end.message, { code: end.code, retryable: end.retryable });
    if (end?.type === "run.interrupted") {
      throw new ClientError(`The answer was cut off by a ${end.reason} of the server.`, { code: "interrupted" });
    }
    return this.#fold.text;
  }

  /**
   * Stop the run and return how it ended, which is durable then. Its last events can still be read. Harmless when
   * repeated. A lost connection is tried again for 10 s.
   */
  async stop(): Promise<EndStatus> {
    if (this.#runId === null && !this.#reading) {
      throw new ClientError("Nothing was sent yet, so there is nothing to stop.", { code: "not_started" });
    }
    const path = `/api/v1/runs/${encodeURIComponent(await this.started)}/stop`;
    const backoff = new Backoff(this.#options.backoff);
    const giveUpAt = Date.now() + STOP_MS;
    for (;;) {
      try {
        const reply = await this.#server.ask("POST", path);
        if (isObject(reply) && typeof reply["status"] === "string") return reply["status"] as EndStatus;
        throw garbled("it does not say how the run ended");
      } catch (error) {
        if (!(error instanceof ClientError && error.retryable) || Date.now() > giveUpAt) throw error;
        await sleep(backoff.wait());
      }
    }
  }

  async *#entries(): AsyncGenerator<Entry, void, undefined> {
    if (this.#reading) throw new Error("This answer is being read already.");
    this.#reading = true;
    try {
      while (!this.#ended) {
        try {
          yield* this.#connection();
        } catch (error) {
          await this.#pause(error);
        }
      }
    } catch (error) {
      this.#refused(error);
      throw error;
    } finally {
      this.#reading = false;
    }
  }

  async *#connection(): AsyncGenerator<Entry, void, undefined> {
    for await (const frames of this.#open()) {
      for (const frame of frames) {
        this.#options.signal?.throwIfAborted();
        const entry = this.#entry(frame);
        if (entry === null) continue;
        this.#backoff.reset();
        yield entry;
        if (this.#ended) return;
      }
    }
    if (!this.#ended) throw lost("The server ended the stream before the run's end.");
  }

  #open(): AsyncGenerator<Frame[], void, undefined> {
    const headers: Record<string, string> = this.#seq >= 0 ? { "Last-Event-ID": String(this.#seq) } : {};
    const { signal } = this.#options;
    const opened = (reply: Response): void => {
      this.#name(reply.headers.get("headrace-run"));
      if (reply.status === 204) this.#ended = true; // there is nothing after `after`
      this.#options.onFound?.();
    };
    if (this.#runId === null && "path" in this.#origin) {
      return this.#server.stream("POST", this.#origin.path, { body: this.#origin.body, headers, signal }, opened);
    }
    const speed = "runId" in this.#origin && this.#origin.speed > 0 ? `?speed=${this.#origin.speed}` : "";
    const path = `/api/v1/runs/${encodeURIComponent(this.#runId ?? "")}/events${speed}`;
    return this.#server.stream("GET", path, { headers, signal }, opened);
  }

  /** Take a frame; null where it is nothing new. */
  #entry(frame: Frame): Entry | null {
    const event = decode(frame.data);
    const seq = /^\d{1,15}$/.test(frame.id) ? Number(frame.id) : -1;
    if (event === null || seq < 0) throw garbled(`${frame.data.slice(0, 80)} is no event`);
    if (seq <= this.#seq) return null;
    const from = "from" in event && typeof event.from === "number" ? event.from : seq;
    if (from !== this.#seq + 1) throw garbled(`after event ${this.#seq} it sent event ${from}`);
    const count = seq - this.#seq;
    this.#seq = seq;
    if (!isKnown(event)) {
      this.#fold.seq += count; // one of a later version
      return null;
    }
    this.#fold.feed(event, count);
    if (event.type === "run.started") this.#name(event.run_id);
    if (isTerminal(event)) this.#ended = true;
    return { seq, event };
  }

  #name(runId: string | null): void {
    this.#runId ??= runId;
    if (this.#runId !== null) this.#named(this.#runId);
  }

  /** Wait until the connection may be tried again. Throws the error where that cannot help. */
  async #pause(error: unknown): Promise<void> {
    const { signal, onLost } = this.#options;
    if (signal?.aborted) throw signal.reason;
    if (!(error instanceof ClientError) || (error instanceof ApiError && !this.#isPassing(error))) throw error;
    const told = error instanceof ApiError ? 1000 * (error.retryAfterS ?? 0) : 0;
    const waitMs = Math.max(this.#backoff.wait(), told);
    onLost?.(error, waitMs);
    await sleep(waitMs, signal);
  }

  #isPassing(error: ApiError): boolean {
    if (this.#runId === null) return error.status >= 500 && !error.own;
    return error.status >= 500 || PASSING.has(error.status);
  }
}

function decode(data: string): RunEvent | { readonly type: string } | null {
  try {
    const value: unknown = JSON.parse(data);
    return isObject(value) && typeof value["type"] === "string" ? (value as { type: string }) : null;
  } catch {
    return null;
  }
}
