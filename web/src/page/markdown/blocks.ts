/**
 * Cuts Markdown that grows into blocks, and touches only its end.
 *
 * What lies before the last two blocks is settled: nothing that comes later changes it. So the work for each piece is
 * that of the end, however long the answer is. A code block that is still open is not parsed at all.
 */

import { Lexer } from "marked";
import { copied } from "./copied.ts";
import { type CodeBlock, Fence, openingOf } from "./fence.ts";
import { type Long, lengthOf, since } from "./long.ts";
import { piecesOf } from "./pieces.ts";

export interface TextBlock {
  readonly kind: "text";
  /** Markdown. */
  readonly text: string;
  /** Whether it can still change. */
  readonly open: boolean;
}

export type Block = TextBlock | CodeBlock;

const UNSETTLED = 2; // a list, and the paragraph below that may yet belong to it
const SEAM = 80; // letters by which a text is known again

export class Blocks {
  #length = 0;
  #end = "";
  #settled: Block[] = [];
  #settledTo = 0;
  #tail: readonly Block[] = [];
  #fence: Fence | null = null; // open, right after what is settled
  #wasWhole = false;

  /** Return the blocks of this text; `isWhole` says that nothing will follow. Settled blocks are the same objects. */
  update(text: Long, isWhole: boolean): readonly Block[] {
    const length = lengthOf(text);
    // a text that was whole and goes on, as an answer that is continued, may go on in its last block
    if (!this.#continues(text, length) || (this.#wasWhole && (!isWhole || length > this.#length))) {
      this.#settled = [];
      this.#settledTo = 0;
      this.#fence = null;
    }
    this.#length = length;
    this.#end = since(text, length - SEAM);
    this.#wasWhole = isWhole;
    if (isWhole) this.#fence = null;
    if (isWhole || !this.#isInCode(text)) this.#cut(text, isWhole);
    return [...this.#settled, ...this.#tail];
  }

  #continues(text: Long, length: number): boolean {
    return length >= this.#length && since(text, this.#length - this.#end.length).startsWith(this.#end);
  }

  /** Return whether the text ends in a block of code that is open: then that is all that can change. */
  #isInCode(text: Long): boolean {
    if (this.#fence === null) {
      this.#fence = Fence.open(text, this.#settledTo);
    } else {
      const end = this.#fence.read(text);
      if (end !== null) {
        this.#settled.push(this.#fence.block);
        this.#settledTo = end;
        this.#fence = null;
      }
    }
    if (this.#fence !== null) this.#tail = [this.#fence.block];
    return this.#fence !== null;
  }

  #cut(text: Long, isWhole: boolean): void {
    const tail = copied(since(text, this.#settledTo)); // or each block would keep the answer as it was then
    const tokens = joinedMath(new Lexer({ gfm: true }).blockTokens(tail).map(({ type, raw }) => ({ type, raw })));
    const settled = isWhole ? tokens.length : Math.max(0, tokens.length - UNSETTLED);
    this.#settle(tokens.slice(0, settled));
    this.#tail = tokens
      .slice(settled)
      .filter(({ type }) => type !== "space")
      .map((token) => blockOf(token, true));
    const last = tokens.at(-1);
    if (isWhole || last === undefined || settled === tokens.length) return;
    // an open code block below settled text: the text above it is settled too
    this.#fence = Fence.open(text, this.#length - last.raw.length);
    if (this.#fence === null) return;
    this.#settle(tokens.slice(settled, -1));
    this.#tail = [this.#fence.block];
  }

  #settle(tokens: readonly Token[]): void {
    for (const token of tokens) {
      this.#settledTo += token.raw.length;
      if (token.type !== "space") this.#settled.push(blockOf(token, false));
    }
  }
}

interface Token {
  readonly type: string;
  readonly raw: string;
}

/** Formulas may have empty lines: what lies between two `$$` is one block. */
function joinedMath(tokens: readonly Token[]): readonly Token[] {
  const joined: Token[] = [];
  let open: Token | null = null;
  for (const token of tokens) {
    if (open !== null) open = { type: "paragraph", raw: open.raw + token.raw };
    const candidate: Token = open ?? token;
    const isOpen = token.type !== "code" && (candidate.raw.split("$$").length - 1) % 2 === 1;
    if (isOpen) {
      open = candidate;
    } else {
      joined.push(candidate);
      open = null;
    }
  }
  if (open !== null) joined.push(open);
  return joined;
}

function blockOf({ type, raw }: Token, open: boolean): Block {
  const opening = type === "code" ? openingOf(raw) : null;
  if (opening === null) return { kind: "text", text: raw, open };
  const body = raw.slice(opening.line.length).replace(/\n? {0,3}(`{3,}|~{3,})[ \t]*\n*$/, "");
  return { kind: "code", pieces: piecesOf(body), language: opening.language, open: false };
}
