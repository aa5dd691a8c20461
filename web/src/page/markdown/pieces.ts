/** Cuts code that grows into pieces of some lines each, and touches only the last one. */

import { copied } from "./copied.ts";

const LINES = 50;

export class Pieces {
  #whole: string[] = [];
  #to = 0;

  /** Return the pieces of this code, without its last line end. All but the last are the same as before where it grew. */
  update(code: string): readonly string[] {
    const last = this.#whole.at(-1) ?? "";
    if (!code.startsWith(last, this.#to - last.length)) {
      this.#whole = [];
      this.#to = 0;
    }
    for (let end = after(code, this.#to); end !== null; end = after(code, this.#to)) {
      this.#whole.push(copied(code.slice(this.#to, end))); // or each would keep the code as it was then
      this.#to = end;
    }
    return [...this.#whole, copied(code.slice(this.#to))];
  }
}

/** Return where the lines end that begin here, if that many have their ends. */
function after(code: string, start: number): number | null {
  let at = start;
  for (let line = 0; line < LINES; line += 1) {
    at = code.indexOf("\n", at) + 1;
    if (at === 0) return null;
  }
  return at;
}
