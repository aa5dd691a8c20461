import { expect, test } from "vitest";
import { type Block, Blocks } from "./blocks.ts";

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

function textOf(block: Block | undefined): string {
  return block?.kind === "code" ? block.pieces.join("") : (block?.text ?? "");
}

function seen(blocks: readonly Block[]): unknown {
  return blocks.map((block) => [block.kind, textOf(block).trim()]);
}

/** A text as it is held: in pieces of some letters. */
function long(text: string, size = 5): string[] {
  return text.match(new RegExp(`[^]{1,${size}}`, "g")) ?? [];
}

test.each([1, 2, 3, 7, 50])("the blocks of a text are the same however it comes (%i letters at a time)", (size) => {
  const grown = new Blocks();
  for (const piece of cut(TEXT, size)) grown.update(long(piece), false);
  expect(seen(grown.update(long(TEXT), true))).toEqual(seen(new Blocks().update([TEXT], true)));
});

test.each([1, 2, 3, 7, 50])("at any time they are what they would be had it come at once (%i letters at a time)", (size) => {
  const grown = new Blocks();
  for (const piece of cut(TEXT, size)) expect(seen(grown.update(long(piece), false))).toEqual(seen(new Blocks().update([piece], false)));
});

test("a text is the same in whichever pieces it is held", () => {
  const blocks = new Blocks();
  const text = "one\n\ntwo\n\nthree\n\nfour\n\nfive";
  const first = blocks.update([text], false)[0];
  expect(blocks.update(long(`${text} and more`), false)[0]).toBe(first);
});

test("a settled block is the same object from then on", () => {
  const blocks = new Blocks();
  const text = "one\n\ntwo\n\nthree\n\nfour\n\nfive";
  const first = blocks.update([text], false)[0];
  expect(textOf(first).trim()).toBe("one");
  expect(blocks.update([text, " and\n\nmore\n\nand more"], false)[0]).toBe(first);
});

test("a code block that is open is not parsed, and says so", () => {
  const blocks = new Blocks();
  const open = blocks.update(["before\n\n```ts\nconst a = 1;\n"], false);
  expect(open.at(-1)).toEqual({ kind: "code", pieces: ["const a = 1;\n"], language: "ts", open: true });
  const closed = blocks.update(["before\n\n```ts\nconst a = 1;\n", "```\n"], false);
  expect(closed.at(-1)).toEqual({ kind: "code", pieces: ["const a = 1;"], language: "ts", open: false });
});

test("a code block that has its end is settled: the same object from then on", () => {
  const blocks = new Blocks();
  blocks.update(["```ts\nconst a = 1;\n"], false);
  const text = "```ts\nconst a = 1;\n```\n";
  const [closed] = blocks.update([text], false);
  expect(blocks.update([text, "\nafter"], false)).toEqual([closed, { kind: "text", text: "after", open: true }]);
  expect(blocks.update([text, "\nafter"], false)[0]).toBe(closed);
});

test("what may be the end of a code block is not shown as code before more comes", () => {
  const blocks = new Blocks();
  blocks.update(["~~~~\na\n"], false);
  expect(blocks.update(["~~~~\na\n~~~~"], false)).toEqual([{ kind: "code", pieces: ["a\n"], language: "", open: true }]);
  expect(blocks.update(["~~~~\na\n~~~~b"], false)).toEqual([{ kind: "code", pieces: ["a\n~~~~b"], language: "", open: true }]);
});

test("a fence in a longer fence does not end it", () => {
  const blocks = new Blocks().update(["````md\n```\ninner\n```\n````\n\nafter"], true);
  expect(seen(blocks)).toEqual([
    ["code", "```\ninner\n```"],
    ["text", "after"],
  ]);
});

test("a formula with empty lines is one block", () => {
  const [block, ...more] = new Blocks().update(["$$\na\n\nb\n$$"], true);
  expect(textOf(block)).toBe("$$\na\n\nb\n$$");
  expect(more).toEqual([]);
});

test("a text that was whole and is continued goes on in its last paragraph", () => {
  const blocks = new Blocks();
  blocks.update(["Half of it, "], true);
  expect(seen(blocks.update(["Half of it, and the rest."], false))).toEqual([["text", "Half of it, and the rest."]]);
});

test("another text is cut anew", () => {
  const blocks = new Blocks();
  blocks.update(["one\n\ntwo\n\nthree\n\nfour"], false);
  expect(seen(blocks.update(["something else that is longer than the first"], true))).toEqual([
    ["text", "something else that is longer than the first"],
  ]);
});
