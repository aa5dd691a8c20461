import { expect, test } from "vitest";
import { Blocks } from "./blocks.ts";

const TEXT = `# A heading

A paragraph with *words*
on two lines.

- one

- two
  1. below it

\`\`\`python
a = 1

b = "\`\`\`"
\`\`\`

$$
x

y
$$

| a | b |
|---|---|
| 1 | 2 |

~~~
no end`;

function cut(text: string, size: number): string[] {
  const ends: string[] = [];
  for (let at = size; at < text.length; at += size) ends.push(text.slice(0, at));
  return ends;
}

function seen(blocks: readonly { kind: string; text: string }[]): unknown {
  return blocks.map(({ kind, text }) => [kind, text.trim()]);
}

test.each([1, 2, 3, 7, 50])("the blocks of a text are the same however it comes (%i letters at a time)", (size) => {
  const grown = new Blocks();
  for (const piece of cut(TEXT, size)) grown.update(piece, false);
  expect(seen(grown.update(TEXT, true))).toEqual(seen(new Blocks().update(TEXT, true)));
});

test("a settled block is the same object from then on", () => {
  const blocks = new Blocks();
  const text = "one\n\ntwo\n\nthree\n\nfour\n\nfive";
  const first = blocks.update(text, false)[0];
  expect(first?.text.trim()).toBe("one");
  expect(blocks.update(`${text} and\n\nmore\n\nand more`, false)[0]).toBe(first);
});

test("a code block that is open is not parsed, and says so", () => {
  const blocks = new Blocks();
  const open = blocks.update("before\n\n```ts\nconst a = 1;\n", false);
  expect(open.at(-1)).toEqual({ kind: "code", text: "const a = 1;\n", language: "ts", open: true });
  const closed = blocks.update("before\n\n```ts\nconst a = 1;\n```\n", false);
  expect(closed.at(-1)).toEqual({ kind: "code", text: "const a = 1;", language: "ts", open: false });
});

test("a fence in a longer fence does not end it", () => {
  const blocks = new Blocks().update("````md\n```\ninner\n```\n````\n\nafter", true);
  expect(seen(blocks)).toEqual([
    ["code", "```\ninner\n```"],
    ["text", "after"],
  ]);
});

test("a formula with empty lines is one block", () => {
  const [block, ...more] = new Blocks().update("$$\na\n\nb\n$$", true);
  expect(block?.text).toBe("$$\na\n\nb\n$$");
  expect(more).toEqual([]);
});

test("a text that was whole and is continued goes on in its last paragraph", () => {
  const blocks = new Blocks();
  blocks.update("Half of it, ", true);
  expect(seen(blocks.update("Half of it, and the rest.", false))).toEqual([["text", "Half of it, and the rest."]]);
});

test("another text is cut anew", () => {
  const blocks = new Blocks();
  blocks.update("one\n\ntwo\n\nthree\n\nfour", false);
  expect(seen(blocks.update("something else that is longer than the first", true))).toEqual([
    ["text", "something else that is longer than the first"],
  ]);
});
