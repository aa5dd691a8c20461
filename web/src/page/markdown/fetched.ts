/** What is big and not always wanted, fetched on its own. */

import { useSyncExternalStore } from "react";

const AGAIN_MS = 2000;

export class Fetched<T> {
  readonly #load: () => Promise<T>;
  readonly #waiting = new Set<() => void>();
  #value: T | null = null;
  #isAsked = false;

  constructor(load: () => Promise<T>) {
    this.#load = load;
  }

  /** A hook: what was fetched; null until it is there. */
  readonly use = (): T | null =>
    useSyncExternalStore(
      (changed) => {
        this.#waiting.add(changed);
        return () => this.#waiting.delete(changed);
      },
      () => this.#value,
    );

  /** Fetch it, where that was not done before; again and again where the server does not answer. */
  readonly want = (): void => {
    if (this.#isAsked) return;
    this.#isAsked = true;
    this.#load().then(
      (value) => {
        this.#value = value;
        for (const changed of this.#waiting) changed();
      },
      () =>
        setTimeout(() => {
          this.#isAsked = false;
          this.want();
        }, AGAIN_MS),
    );
  };
}
