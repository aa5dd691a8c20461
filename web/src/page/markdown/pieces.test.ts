import { expect, it } from "vitest";
import { Pieces, piecesOf } from "./pieces.ts";

const LINES = Array.from({ length: 120 }, (_, number) => `x${number} = 1\n`);
const CODE = LINES.join("").trimEnd();

it("has so many lines in each piece, and all that there is", () => {
  const pieces = piecesOf(CODE);
  expect(pieces.map((piece) => piece.split("\n").length - 1)).toEqual([50, 50, 19]);
  expect(pieces.join("")).toBe(CODE);
});

it.each([1, 7, 50, 119])("gives the same pieces however the code grows (%i lines at a time)", (step) => {
  const pieces = new Pieces();
  for (let at = 0; at < LINES.length; at += step) {
    expect(pieces.with("x").join("")).toBe(`${LINES.slice(0, at).join("")}x`);
    pieces.add(LINES.slice(at, at + step).join(""));
  }
  expect(pieces.whole()).toEqual(piecesOf(CODE));
});

it("keeps a piece as it is once it is full", () => {
  const pieces = new Pieces();
  pieces.add(LINES.slice(0, 60).join(""));
  const [first] = pieces.with("");
  pieces.add(LINES.slice(60).join(""));
  expect(pieces.with("")[0]).toBe(first);
});

it("ends where a piece is just full, with no empty one after it", () => {
  const code = LINES.slice(0, 50).join("").trimEnd();
  expect(piecesOf(code)).toEqual([code]);
  expect(piecesOf("")).toEqual([""]);
});
