import { expect, it } from "vitest";
import { Pieces } from "./pieces.ts";

const LINES = Array.from({ length: 120 }, (_, number) => `x${number} = 1\n`);

it("gives the same pieces however the code grows", () => {
  const code = LINES.join("");
  const whole = new Pieces().update(code);
  expect(whole.map((piece) => piece.split("\n").length - 1)).toEqual([50, 50, 20]);
  expect(whole.join("")).toBe(code);
  for (const step of [1, 7, 450]) {
    const pieces = new Pieces();
    for (let end = 0; end < code.length; end += step) expect(pieces.update(code.slice(0, end)).join("")).toBe(code.slice(0, end));
    expect(pieces.update(code)).toEqual(whole);
  }
});

it("begins anew with another code", () => {
  const pieces = new Pieces();
  pieces.update(LINES.join(""));
  expect(pieces.update("y = 2\n")).toEqual(["y = 2\n"]);
  expect(pieces.update(LINES.join("z"))).toEqual(new Pieces().update(LINES.join("z")));
});
