/** Formulas: what reads and draws them is fetched when the first one comes. */

import remarkGfm from "remark-gfm";
import { Fetched } from "./fetched.ts";

type Temml = typeof import("temml").default;

interface Maths {
  readonly plugins: React.ComponentProps<typeof import("react-markdown").default>["remarkPlugins"];
  readonly temml: Temml;
}

const maths = new Fetched<Maths>(async () => {
  const [{ default: remarkMath }, { default: temml }] = await Promise.all([import("remark-math"), import("temml")]);
  return { plugins: [remarkGfm, [remarkMath, { singleDollarTextMath: false }]], temml };
});

const MATH = /\$[^\s$]|\\\(|\\\[|\$\$/;
const MOST_LETTERS = 10_000; // the search below takes the square of it where brackets are never closed
const CODE = /(`+)[^`][\s\S]*?\1/g;

/** Return what formulas need; null where the text has none, or until it is there. */
export function useMath(text: string): Maths | null {
  const loaded = maths.use();
  if (!MATH.test(text)) return null;
  maths.want();
  return loaded;
}

export function useTemml(): Temml | null {
  return maths.use()?.temml ?? null;
}

/** Return the text with all formulas between `$$`. A price is none: `$5 and $10`. */
export function dollars(text: string): string {
  if (text.length > MOST_LETTERS) return text;
  const kept: string[] = [];
  const bare = text.replace(CODE, (code) => `\u0000${kept.push(code) - 1}\u0000`);
  const same = bare
    .replace(/\\\[([\s\S]+?)\\\]/g, (_, tex: string) => `\n$$\n${tex.trim()}\n$$\n`)
    .replace(/\\\(([\s\S]+?)\\\)/g, (_, tex: string) => `$$${tex.trim()}$$`)
    .replace(/(?<![\\$\w])\$(?![\s$\d])((?:[^$\n\\]|\\.)+?)(?<![\s\\])\$(?![\d$])/g, (_, tex: string) => `$$${tex}$$`);
  return same.replace(/\u0000(\d+)\u0000/g, (_, at: string) => kept[Number(at)] ?? "");
}
