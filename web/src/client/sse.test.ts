import { describe, expect, test } from "vitest";

import answer from "../../../tests/golden/native/answer.sse?raw";
import merged from "../../../tests/golden/native/answer.merged.sse?raw";
import tools from "../../../tests/golden/native/tools.sse?raw";
import { type Frame, SseDecoder } from "./sse.ts";
import { bytesOf, cuts, EMOJI, MANGLED, runOf, SCRIPTS } from "./testing.ts";

function decoded(pieces: Iterable<Uint8Array>): Frame[] {
  const decoder = new SseDecoder();
  return [...pieces].flatMap((piece) => decoder.feed(piece));
}

function whole(text: string): Frame[] {
  return decoded([bytesOf(text)]);
}

const rich = runOf([...SCRIPTS, ...EMOJI, ...MANGLED]).join("");

describe("every cut comes out like the whole", () => {
  test.each([
    ["a golden answer", answer],
    ["a golden answer, merged", merged],
    ["a golden answer with tools", tools],
    ["five scripts and emoji", rich],
    ["CRLF", rich.replaceAll("\n", "\r\n")],
    ["CR", rich.replaceAll("\n", "\r")],
    ["a BOM", `\uFEFF${rich}`],
    ["comments between", rich.replaceAll("\n\n", "\n\n: ping\n\n")],
  ])("%s", (_, text) => {
    const expected = whole(text);
    expect(expected.length).toBeGreaterThan(3);
    for (const pieces of cuts(bytesOf(text))) {
      const frames = decoded(pieces);
      if (JSON.stringify(frames) !== JSON.stringify(expected)) expect(frames, `cut at ${pieces[0]?.length}`).toEqual(expected);
    }
  });

  test("every two cuts of all line ends", () => {
    const bytes = bytesOf("\uFEFFid: 1\r\ndata: ü\rdata: 🚆\n\r\n\rdata:x\n\nevent: e\r\n\r\ndata: y\r\r");
    const expected = decoded([bytes]);
    expect(expected).toEqual([
      { id: "1", event: "message", data: "ü\n🚆" },
      { id: "1", event: "message", data: "x" },
      { id: "1", event: "message", data: "y" },
    ]);
    for (let second = 0; second <= bytes.length; second += 1) {
      for (let first = 0; first <= second; first += 1) {
        const pieces = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
        expect(decoded(pieces)).toEqual(expected);
      }
    }
  });
});

test("line ends, however they are written, give the same frames", () => {
  const expected = whole(rich);
  for (const end of ["\r", "\r\n"]) expect(whole(rich.replaceAll("\n", end))).toEqual(expected);
});

test("the text survives: scripts, emoji, and separators that are no line ends", () => {
  const deltas = whole(rich).flatMap(({ data }) => (JSON.parse(data) as { delta?: string }).delta ?? []);
  expect(deltas).toEqual([...SCRIPTS, ...EMOJI, ...MANGLED]);
});

test.each([
  ["data\n\n", [{ id: "", event: "message", data: "" }]],
  ["data:  x\n\n", [{ id: "", event: "message", data: " x" }]],
  ["event: e\n\ndata: x\n\n", [{ id: "", event: "message", data: "x" }]],
  ["id: 1\n\ndata: x\n\n", [{ id: "1", event: "message", data: "x" }]],
  ["id: 1\nid: 2\0\ndata: x\n\n", [{ id: "1", event: "message", data: "x" }]],
  [": comment\nunknown: y\nretry: 5\ndata: x\n\n", [{ id: "", event: "message", data: "x" }]],
  ["data: x\n", []],
  ["data: x\n\uFEFF\n\n", [{ id: "", event: "message", data: "x" }]],
])("%j is read as the standard says", (text, frames) => {
  expect(whole(text)).toEqual(frames);
});

test("bytes that are no UTF-8 spoil their own characters only", () => {
  const bytes = new Uint8Array([...bytesOf("data: a"), 0xff, 0xe2, 0x82, ...bytesOf("b\n\n")]);
  expect(decoded([bytes])).toEqual([{ id: "", event: "message", data: "a\uFFFD\uFFFDb" }]);
});
