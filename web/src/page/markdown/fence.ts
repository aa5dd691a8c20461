/** A block of code between fences that grows: each of its lines is looked at once. */

import { type Long, since } from "./long.ts";
import { Pieces } from "./pieces.ts";

export interface CodeBlock {
  readonly kind: "code";
  /** What is in it; see `Pieces`. */
  readonly pieces: readonly string[];
  readonly language: string;
  /** Whether it has no end yet. */
  readonly open: boolean;
}

const OPENING = /^ {0,3}(`{3,}|~{3,})[ \t]*([^\n`]*)\n?/;

/** Return the line with which this text opens a block of code: as it is, its fence, and the language that it names. */
export function openingOf(text: string): { readonly line: string; readonly mark: string; readonly language: string } | null {
  const found = OPENING.exec(text);
  if (found === null) return null;
  const [line, mark = "", info = ""] = found;
  return { line, mark, language: info.trim().split(/[\s{,]/, 1)[0]?.toLowerCase() ?? "" };
}

export class Fence {
  readonly #language: string;
  readonly #ends: RegExp; // a line, whole
  readonly #mayEnd: RegExp; // a line to which more may come
  readonly #pieces = new Pieces();
  #to: number;
  #rest = "";
  #isOpen = true;

  private constructor(mark: string, language: string, to: number) {
    const line = ` {0,3}${mark.charAt(0)}{${mark.length},} *`;
    this.#ends = new RegExp(`(^|\\n)${line}\\n`);
    this.#mayEnd = new RegExp(`^${line}$`);
    this.#language = language;
    this.#to = to;
  }

  /** Return the block of code that begins here, if it has no end yet. */
  static open(text: Long, start: number): Fence | null {
    const opening = openingOf(since(text, start));
    if (opening === null || !opening.line.endsWith("\n")) return null;
    const fence = new Fence(opening.mark, opening.language, start + opening.line.length);
    return fence.read(text) === null ? fence : null;
  }

  /** Take what has come; return where the block ends, null while it does not. */
  read(text: Long): number | null {
    const fresh = since(text, this.#to);
    const whole = fresh.lastIndexOf("\n") + 1;
    const lines = fresh.slice(0, whole);
    const end = this.#ends.exec(lines);
    if (end === null) {
      this.#pieces.add(lines);
      this.#to += whole;
      this.#rest = fresh.slice(whole);
      return null;
    }
    this.#pieces.add(lines.slice(0, end.index + (end[1]?.length ?? 0)));
    this.#isOpen = false;
    return this.#to + end.index + end[0].length - 1; // the line end is that of what follows
  }

  /** What there is of it. */
  get block(): CodeBlock {
    const rest = this.#mayEnd.test(this.#rest) ? "" : this.#rest;
    const pieces = this.#isOpen ? this.#pieces.with(rest) : this.#pieces.whole();
    return { kind: "code", pieces, language: this.#language, open: this.#isOpen };
  }
}
