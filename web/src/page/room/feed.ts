/**
 * One connection for all that a browser looks at: the events of several runs, and notices.
 *
 * Source: the native API, `GET /events`. Its frames have no id: what is followed, and from where, is in the address. So
 * another run means another connection. The one before stays for its notices until the next is there, and none is missed.
 */

import { ApiError, Backoff, ClientError, type Entry, isKnown } from "../../client/index.ts";
import { sleep } from "../../client/backoff.ts";
import { isObject } from "../../client/errors.ts";
import { lost, type Server } from "../../client/http.ts";
import type { Frame } from "../../client/sse.ts";
import { Pace } from "./pace.ts";
import type { Notice } from "./words.ts";

const PATH = "/api/v1/events";
const LONGEST_WAIT_MS = 4000;
const PASSING: ReadonlySet<number> = new Set([408, 429]);

export interface Heard {
  /** Return the runs that are wanted, and the number of the last event that is known of each. */
  wanted(): ReadonlyMap<string, number>;
  /**
   * Take an event, or null for one of a later version, with the numbers of the first and last event that are in it;
   * false where some before them are missing.
   */
  event(runId: string, from: number, seq: number, event: Entry["event"] | null): boolean;
  /** There is no such run any more. */
  gone(runId: string): void;
  /** All events that came in one reading have been given. */
  read(): void;
  notice(notice: Notice): void;
  lost(attempt: number): void;
  found(): void;
  /** The server refuses; nothing is asked until `renew`. */
  refused(error: unknown): void;
}

export class Feed {
  readonly #server: Server;
  readonly #heard: Heard;
  readonly #former = new Set<AbortController>();
  #line: AbortController | null = null;
  #soon: ReturnType<typeof setTimeout> | null = null;
  #isOpen = false;

  constructor(server: Server, heard: Heard) {
    this.#server = server;
    this.#heard = heard;
  }

  /** Whether there is a connection, or one is being made. */
  get running(): boolean {
    return this.#line !== null || this.#soon !== null;
  }

  /** Whether notices come: none of what happens is missed. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Ask for what is wanted now. */
  renew(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = null;
      if (this.#line !== null) this.#former.add(this.#line);
      void this.#follow();
    }, 0);
  }

  close(): void {
    if (this.#soon !== null) clearTimeout(this.#soon);
    this.#soon = null;
    this.#line?.abort();
    this.#line = null;
    this.#isOpen = false;
    this.#closeFormer();
  }

  async #follow(): Promise<void> {
    const line = new AbortController();
    this.#line = line;
    const backoff = new Backoff({ longestMs: LONGEST_WAIT_MS });
    const pace = new Pace();
    let attempt = 0;
    const opened = (): void => {
      if (this.#line !== line) return; // replaced before it was there: its successor closes the others
      this.#closeFormer();
      attempt = 0;
      this.#isOpen = true;
      this.#heard.found();
    };
    while (this.#line === line) {
      try {
        for await (const frames of this.#server.stream("GET", this.#path(), { signal: line.signal }, opened)) {
          backoff.reset();
          this.#takeAll(line, frames);
          await pace.rest(line.signal);
        }
        throw lost("The server ended the stream.");
      } catch (error) {
        if (this.#line !== line) return; // the next one is being made
        if (!passes(error)) {
          this.close();
          this.#heard.refused(error);
          return;
        }
        attempt += 1;
        this.#isOpen = false;
        this.#heard.lost(attempt);
        const toldMs = error instanceof ApiError ? 1000 * (error.retryAfterS ?? 0) : 0;
        await sleep(Math.max(backoff.wait(), toldMs), line.signal).catch(() => undefined);
      }
    }
  }

  #path(): string {
    const wanted = [...this.#heard.wanted()].map(([runId, seq]) => `${runId}:${seq}`);
    return wanted.length > 0 ? `${PATH}?follow=${encodeURIComponent(wanted.join(","))}` : PATH;
  }

  #closeFormer(): void {
    for (const line of this.#former) line.abort();
    this.#former.clear();
  }

  #takeAll(line: AbortController, frames: readonly Frame[]): void {
    try {
      for (const frame of frames) this.#take(line, frame);
    } finally {
      this.#heard.read();
    }
  }

  #take(line: AbortController, { data }: Frame): void {
    const said = parsed(data);
    if ("run" in said) {
      // once there is to be another connection, that one tells of runs
      if (this.#line === line && this.#soon === null) this.#event(said);
    } else if (said.type === "run.gone") {
      if (this.#line === line && this.#soon === null) this.#heard.gone(String(said["run_id"]));
    } else {
      this.#heard.notice(said);
    }
  }

  #event({ run, seq, ...event }: Said): void {
    if (typeof run !== "string" || typeof seq !== "number") throw lost("An event does not say where it belongs.");
    const from = typeof event["from"] === "number" ? event["from"] : seq;
    if (!this.#heard.event(run, from, seq, isKnown(event) ? event : null)) {
      throw lost(`Before event ${from} of a run some are missing.`);
    }
  }
}

type Said = { readonly type: string } & Readonly<Record<string, unknown>>;

function parsed(data: string): Said {
  let said: unknown;
  try {
    said = JSON.parse(data);
  } catch {
    said = null;
  }
  if (isObject(said) && typeof said["type"] === "string") return said as Said;
  throw lost(`${data.slice(0, 80)} is no event.`);
}

function passes(error: unknown): boolean {
  return error instanceof ApiError ? error.status >= 500 || PASSING.has(error.status) : error instanceof ClientError;
}
