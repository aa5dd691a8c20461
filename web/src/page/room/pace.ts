/** How often a stream is read: a hundred small readings cost far more than a large one, and tabs show once a frame. */

import { sleep } from "../../client/backoff.ts";

const REST_MS = 16;
const LEAST_READINGS = 2; // browsers read ahead by one: that one has what was there before the rest
const LEAST_MS = 1; // where each reading gives what was sent at once, what came in the rest is many

export class Pace {
  #readings = 0;
  #since = performance.now();

  /** Rest after a reading, if nothing should be left that has come. Rejects with the signal's reason. */
  async rest(signal: AbortSignal): Promise<void> {
    this.#readings += 1;
    if (this.#readings < LEAST_READINGS || performance.now() - this.#since < LEAST_MS) return;
    // a page that nobody sees has slow timers, and others may hear through it
    if (isSeen()) await sleep(REST_MS, signal);
    this.#readings = 0;
    this.#since = performance.now();
  }
}

function isSeen(): boolean {
  return typeof document === "undefined" || document.visibilityState === "visible";
}
