/**
 * Cuts Markdown that grows into blocks, and touches only its end.
 *
 * What lies before the last two blocks is settled: nothing that comes later changes it. So the work for each piece is
 * that of the end, however long the answer is. A code block that is still open is not parsed at all.
 */

import { Lexer } from "marked";
import { copied } from "./copied.ts";

export interface Block {
  readonly kind: "text" | "code";
  /** Markdown; of a code block what is in it. */
  readonly text: string;
  readonly language: string;
  /** Whether it can still change. */
  readonly open: boolean;
}

const UNSETTLED = 2; // a list, and the paragraph below that may yet belong to it
const FENCE = /^ {0,3}(`{3,}|~{3,})[ \t]*([^\n`]*)\n?/;

export class Blocks {
  #text = "";
  #settled: Block[] = [];
  #settledTo = 0;
  #tail: readonly Block[] = [];
  #wasWhole = false;

  /** Return the blocks of this text; `isWhole` says that nothing will follow. Settled blocks are the same objects. */
  update(text: string, isWhole: boolean): readonly Block[] {
    // a text that was whole and goes on, as an answer that is continued, may go on in its last block
    if (!this.#continues(text) || (this.#wasWhole && (!isWhole || text.length > this.#text.length))) {
      this.#settled = [];
      this.#settledTo = 0;
    }
    this.#text = text;
    this.#wasWhole = isWhole;
    // each block would keep the answer as it was then
    this.#cut(copied(text.slice(this.#settledTo)), isWhole);
    return [...this.#settled, ...this.#tail];
  }

  #continues(text: string): boolean {
    const known = this.#text;
    return text.length >= known.length && text.startsWith(known.slice(-80), Math.max(0, known.length - 80));
  }

  #cut(tail: string, isWhole: boolean): void {
    const open = openFence(tail);
    if (open !== null && !isWhole) {
      this.#tail = [open];
      return;
    }
    const tokens = joinedMath(new Lexer({ gfm: true }).blockTokens(tail).map(({ type, raw }) => ({ type, raw })));
    const settled = isWhole ? tokens.length : Math.max(0, tokens.length - UNSETTLED);
    for (const token of tokens.slice(0, settled)) {
      this.#settledTo += token.raw.length;
      if (token.type !== "space") this.#settled.push(blockOf(token, false));
    }
    this.#tail = tokens
      .slice(settled)
      .filter(({ type }) => type !== "space")
      .map((token) => blockOf(token, true));
    const last = tokens.at(-1);
    if (isWhole || last === undefined || settled === tokens.length) return;
    // an open code block below settled text: the text above it is settled too
    const code = openFence(last.raw);
    if (code === null) return;
    for (const token of tokens.slice(settled, -1)) {
      this.#settledTo += token.raw.length;
      if (token.type !== "space") this.#settled.push(blockOf(token, false));
    }
    this.#tail = [code];
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
  const fence = type === "code" ? FENCE.exec(raw) : null;
  if (fence === null) return { kind: "text", text: raw, language: "", open };
  const body = raw.slice(fence[0].length).replace(/\n? {0,3}(`{3,}|~{3,})[ \t]*\n*$/, "");
  return { kind: "code", text: body, language: languageIn(fence[2]), open: false };
}

/** Return the code block with which this text begins, if it has no end yet. */
function openFence(text: string): Block | null {
  const fence = FENCE.exec(text);
  const mark = fence?.[1];
  if (fence === null || mark === undefined || !fence[0].endsWith("\n")) return null;
  const end = new RegExp(`\\n {0,3}${mark[0]}{${mark.length},}[ \\t]*(\\n|$)`);
  // the fence's own line end may be the one before its end
  if (end.test(text.slice(fence[0].length - 1))) return null;
  return { kind: "code", text: text.slice(fence[0].length), language: languageIn(fence[2]), open: true };
}

function languageIn(info: string | undefined): string {
  return (info ?? "").trim().split(/[\s{,]/, 1)[0]?.toLowerCase() ?? "";
}
