/** Code in pieces of some lines each: where it grows, only the last one changes. */

import { copied } from "./copied.ts";

const LINES = 50;

export class Pieces {
  readonly #full: string[] = [];
  #last = "";
  #lines = 0;

  /** Take lines, each with its end. */
  add(lines: string): void {
    let from = 0;
    for (let end = lines.indexOf("\n") + 1; end > 0; end = lines.indexOf("\n", end) + 1) {
      this.#lines += 1;
      if (this.#lines < LINES) continue;
      this.#full.push(copied(this.#last + lines.slice(from, end))); // or each would keep all that came with it
      this.#last = "";
      this.#lines = 0;
      from = end;
    }
    this.#last = copied(this.#last + lines.slice(from));
  }

  /** Return the pieces, and what there is of the next line. All but the last are those of before. */
  with(rest: string): readonly string[] {
    return [...this.#full, this.#last + rest];
  }

  /** Return the pieces of code that goes no further: without its last line end. */
  whole(): readonly string[] {
    const pieces = this.#last === "" && this.#full.length > 0 ? [...this.#full] : [...this.#full, this.#last];
    const last = pieces.pop() ?? "";
    return [...pieces, last.endsWith("\n") ? last.slice(0, -1) : last];
  }
}

/** Return the pieces of code that goes no further; its last line has no end. */
export function piecesOf(code: string): readonly string[] {
  const pieces = new Pieces();
  pieces.add(`${code}\n`);
  return pieces.whole();
}
