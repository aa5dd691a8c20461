import { expect, test } from "vitest";
import { leafBelow, pathOf, siblingsOf, without } from "./tree.ts";
import type { Node } from "./words.ts";

/** Two questions at the beginning; the first has two answers, and the second of these a further question. */
const NODES = Object.fromEntries(
  [
    node("q1", 1, null, "user"),
    node("a1", 2, "q1", "assistant"),
    node("a2", 3, "q1", "assistant"),
    node("q2", 4, "a2", "user"),
    node("q3", 5, null, "user"),
    node("a3", null, "q3", "assistant"),
  ].map((each) => [each.key, each]),
);

test("a path leads from the beginning to the leaf", () => {
  expect(pathOf({ nodes: NODES, leaf: "q2" }).map(({ key }) => key)).toEqual(["q1", "a2", "q2"]);
  expect(pathOf({ nodes: NODES, leaf: null })).toEqual([]);
});

test("siblings have the same parent and role, the first made first", () => {
  expect(siblingsOf(NODES, "a2").map(({ key }) => key)).toEqual(["a1", "a2"]);
  expect(siblingsOf(NODES, "q1").map(({ key }) => key)).toEqual(["q1", "q3"]);
});

test("a branch goes on to what was made last", () => {
  expect(leafBelow(NODES, "q1")).toBe("q2");
  expect(leafBelow(NODES, "q3")).toBe("a3");
  expect(leafBelow(NODES, null)).toBe("a3");
  expect(leafBelow({}, null)).toBeNull();
});

test("what follows a message goes with it", () => {
  expect(Object.keys(without(NODES, "a2")).sort()).toEqual(["a1", "a3", "q1", "q3"]);
  expect(Object.keys(without(NODES, "q3")).sort()).toEqual(["a1", "a2", "q1", "q2"]);
});

function node(key: string, id: number | null, parent: string | null, role: Node["role"]): Node {
  return {
    key,
    id,
    parent,
    role,
    parts: [],
    status: "complete",
    model: null,
    runs: [],
    usage: null,
    timings: null,
    error: null,
    finish: null,
    createdAt: 0,
    live: null,
    switched: null,
    sources: [],
    corrections: [],
  };
}
