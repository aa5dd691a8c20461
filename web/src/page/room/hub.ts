/** The one place of a browser that reads from the server: for all tabs, each run once. */

import { ApiError, Client, ClientError } from "../../client/index.ts";
import { Stream, type Watch } from "./stream.ts";
import type { Port, ToHub, ToTab } from "./words.ts";

const MOST_STREAMS = 4; // browsers open six connections to a server over HTTP/1.1: some must be left for requests
const LOOK_MS = 4000;
const LOOKED_AT = 20; // runs that may begin between two looks, short ones too

export class Hub {
  readonly #client: Client;
  readonly #tabs = new Map<Port, { visible: boolean }>();
  readonly #streams = new Set<Stream>();
  readonly #watch: Watch = {
    lost: (attempt) => this.#tellAll({ type: "lost", attempt }),
    found: () => this.#tellAll({ type: "found" }),
    refused: (error) => {
      if (error instanceof ApiError && error.status === 401) this.#tellAll({ type: "unauthorized" });
    },
    over: (stream) => {
      this.#streams.delete(stream);
      this.#share();
    },
  };
  #wishes = 0;
  #failures = 0;
  #looking: ReturnType<typeof setTimeout> | null = null;

  constructor(client: Client = new Client()) {
    this.#client = client;
  }

  /** Take what a tab says. */
  hear(tab: Port, message: ToHub): void {
    if (message.type === "bye") {
      this.#leave(tab);
      return;
    }
    if (!this.#tabs.has(tab)) this.#tabs.set(tab, { visible: true });
    switch (message.type) {
      case "follow":
        this.#follow(tab, message.runId, message.after);
        break;
      case "leave":
        for (const stream of this.#streams) if (stream.runId === message.runId) stream.leave(tab);
        this.#share();
        break;
      case "changed":
        this.#tellAll({ type: "changed", chatId: message.chatId }, tab);
        break;
      case "here":
        this.#tabs.set(tab, { visible: message.visible });
        if (message.visible) this.#wish(tab);
        break;
    }
    this.#looking ??= setTimeout(() => this.#look(), 0);
  }

  #follow(tab: Port, runId: string, after: number): void {
    const streams = [...this.#streams].filter((stream) => stream.runId === runId);
    for (const stream of streams) stream.leave(tab);
    let joined = streams.find((stream) => stream.join(tab, after));
    if (joined === undefined) {
      joined = new Stream(this.#client, runId, after, this.#watch);
      joined.join(tab, after);
      this.#streams.add(joined);
    }
    this.#wishes += 1;
    joined.wantedAt = this.#wishes;
    this.#share();
  }

  /** What a tab that came to the front follows goes before the rest. */
  #wish(tab: Port): void {
    for (const stream of this.#streams) {
      if (!stream.has(tab)) continue;
      this.#wishes += 1;
      stream.wantedAt = this.#wishes;
    }
    this.#share();
  }

  #leave(tab: Port): void {
    for (const stream of this.#streams) stream.leave(tab);
    this.#tabs.delete(tab);
    this.#share();
  }

  /** Give the connections that there are to those that are wanted most. */
  #share(): void {
    const byWish = [...this.#streams].sort((one, other) => other.wantedAt - one.wantedAt);
    let left = MOST_STREAMS;
    for (const stream of byWish) {
      if (!stream.wanted) {
        stream.stop();
        this.#streams.delete(stream);
      } else if (left > 0) {
        left -= 1;
        if (!stream.running) void stream.start();
      } else {
        stream.stop();
      }
    }
  }

  /** See which runs there are: those of other devices too. Stands in for the server's notices. */
  async #look(): Promise<void> {
    try {
      if ([...this.#tabs.values()].some((tab) => tab.visible)) {
        const { runs } = await this.#client.runs.list({ limit: LOOKED_AT });
        this.#tellAll({ type: "runs", runs });
        this.#watch.found();
        this.#failures = 0;
      }
    } catch (error) {
      this.#watch.refused(error);
      this.#failures += 1;
      if (error instanceof ClientError && error.code === "connection_lost") this.#watch.lost(this.#failures);
    }
    this.#looking = this.#tabs.size > 0 ? setTimeout(() => this.#look(), LOOK_MS) : null;
  }

  #tellAll(message: ToTab, but?: Port): void {
    for (const tab of this.#tabs.keys()) if (tab !== but) tab.send(message);
  }
}
