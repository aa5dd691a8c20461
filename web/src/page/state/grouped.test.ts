import { expect, test } from "vitest";
import type { Part } from "../../client/index.ts";
import { grouped } from "./grouped.ts";

function part(type: "text" | "reasoning", text: string): Part {
  return { type, text };
}

test("adjacent parts of one kind are shown as one text", () => {
  const tool: Part = { type: "tool_result", id: "1", text: "x" };
  const parts = [part("reasoning", "a"), part("reasoning", "b"), part("text", "c"), tool, part("text", "d"), part("text", "e")];
  expect(grouped(parts)).toEqual([
    { type: "reasoning", text: ["a", "b"] },
    { type: "text", text: ["c"] },
    tool,
    { type: "text", text: ["d", "e"] },
  ]);
  expect(grouped([])).toEqual([]);
});
