import { expect, test } from "vitest";

import answer from "../../../tests/golden/native/answer.sse?raw";
import merged from "../../../tests/golden/native/answer.merged.sse?raw";
import failed from "../../../tests/golden/native/failed.sse?raw";
import interrupted from "../../../tests/golden/native/interrupted.sse?raw";
import stopped from "../../../tests/golden/native/stopped.sse?raw";
import tools from "../../../tests/golden/native/tools.sse?raw";
import type { RunEvent } from "./events.ts";
import { Fold, join, type Part } from "./fold.ts";
import { SseDecoder } from "./sse.ts";
import { bytesOf } from "./testing.ts";

function folded(stream: string): Fold {
  const fold = new Fold();
  for (const { id, data } of new SseDecoder().feed(bytesOf(stream))) {
    fold.feed(JSON.parse(data) as RunEvent, Number(id) - fold.seq);
  }
  return fold;
}

test("a golden answer becomes its message", () => {
  const fold = folded(answer);
  expect(fold.parts).toEqual([
    { type: "reasoning", text: 'He said "hi".\n' },
    { type: "text", text: "Line\u2028sep\u0085\u2029 👋 \\ \r\n\0éEnd." },
  ]);
  expect([fold.seq, fold.model, fold.status, fold.usage?.output_tokens]).toEqual([16, "box/a", "complete", 9]);
  expect(fold.text).toBe("Line\u2028sep\u0085\u2029 👋 \\ \r\n\0éEnd.");
});

test("merged events make the same message", () => {
  const [one, other] = [folded(answer), folded(merged)];
  expect([other.parts, other.seq, other.status]).toEqual([one.parts, one.seq, one.status]);
});

test("tools are parts between texts", () => {
  expect(folded(tools).parts.map((part) => part.type)).toContain("tool_call");
});

test.each([
  [stopped, "stopped"],
  [failed, "failed"],
  [interrupted, "interrupted"],
])("an end that is none of the model's has its own status", (stream, status) => {
  expect(folded(stream).status).toBe(status);
});

test("nothing is folded into nothing", () => {
  const fold = new Fold();
  expect([fold.parts, fold.seq, fold.status, fold.text]).toEqual([[], -1, null, ""]);
  fold.feed({ type: "text", t: 0, delta: "" });
  expect(fold.parts).toEqual([]);
});

test("parts that were read do not change", () => {
  const fold = new Fold();
  fold.feed({ type: "text", t: 0, delta: "a" });
  const before = fold.parts;
  fold.feed({ type: "text", t: 0, delta: "b" });
  expect([before, fold.parts]).toEqual([[{ type: "text", text: "a" }], [{ type: "text", text: "ab" }]]);
});

test("a message that was continued goes on in its last text", () => {
  const text = (text: string): Part => ({ type: "text", text });
  const thought: Part = { type: "reasoning", text: "hm" };
  expect(join([thought, text("a")], [text("b"), thought])).toEqual([thought, text("ab"), thought]);
  expect(join([text("a")], [thought])).toEqual([text("a"), thought]);
  expect(join([], [text("b")])).toEqual([text("b")]);
});

test("a long text is in several parts, and those before the last stay as they are", () => {
  const fold = new Fold({ longest: 4 });
  for (const delta of ["abc", "de", "f", "ghij"]) fold.feed({ type: "text", t: 0, delta });
  const [first] = fold.parts;
  fold.feed({ type: "text", t: 0, delta: "k" });
  expect(fold.parts.map((part) => "text" in part && part.text)).toEqual(["abcde", "fghij", "k"]);
  expect(fold.parts[0]).toBe(first);
  expect(fold.text).toBe("abcdefghijk");
});

test("events go on in the last of the parts that there are already", () => {
  const text = (text: string): Part => ({ type: "text", text });
  const parts = [text("a")];
  const fold = new Fold({ parts });
  fold.feed({ type: "text", t: 0, delta: "b" });
  expect([fold.parts, parts]).toEqual([[text("ab")], [text("a")]]);
});
