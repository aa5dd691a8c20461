/** How long to wait before a lost connection is tried again. */

export interface BackoffOptions {
  /** The first wait, before chance shortens it. */
  readonly firstMs?: number;
  readonly longestMs?: number;
  /** From 0 to 1; for tests. */
  readonly chance?: () => number;
}

/** Waits that double from 0.25 s to 10 s. Each is shortened by chance, to half at most: not all come at one moment. */
export class Backoff {
  readonly #firstMs: number;
  readonly #longestMs: number;
  readonly #chance: () => number;
  #nextMs: number;

  constructor(options: BackoffOptions = {}) {
    this.#firstMs = options.firstMs ?? 250;
    this.#longestMs = options.longestMs ?? 10_000;
    this.#chance = options.chance ?? Math.random;
    this.#nextMs = this.#firstMs;
  }

  /** Return the next wait in milliseconds; the one after it is longer. */
  wait(): number {
    const wait = this.#nextMs * (0.5 + this.#chance() / 2);
    this.#nextMs = Math.min(2 * this.#nextMs, this.#longestMs);
    return wait;
  }

  /** Start from the first again: the connection was there. */
  reset(): void {
    this.#nextMs = this.#firstMs;
  }
}

/** Return after this time. Rejects with the signal's reason as soon as it is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const aborted = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", aborted);
      resolve();
    }, ms);
    signal?.addEventListener("abort", aborted, { once: true });
  });
}
