import { afterEach, expect, test, vi } from "vitest";
import { Tab } from "./tab.ts";
import type { Piece, ToHub } from "./words.ts";

function world(): { said: ToHub[]; heard: number[]; tab: Tab; isOver: () => boolean } {
  vi.stubGlobal("document", new EventTarget());
  vi.stubGlobal("addEventListener", () => undefined);
  const said: ToHub[] = [];
  const heard: number[] = [];
  const tab = new Tab((message) => said.push(message));
  let over = false;
  tab.follow("r", 3, {
    pieces: (pieces) => heard.push(...pieces.map(({ seq }) => seq)),
    ended: () => {
      over = true;
    },
  });
  return { said, heard, tab, isOver: () => over };
}

function piece(from: number, seq: number): Piece {
  return { from, seq, event: { type: "text", t: 0, delta: "x" } };
}

afterEach(() => vi.unstubAllGlobals());

test("what is told twice is heard once", () => {
  const { heard, tab, isOver } = world();
  tab.take({ type: "pieces", runId: "r", pieces: [piece(4, 5)] });
  tab.take({ type: "pieces", runId: "r", pieces: [piece(4, 5), piece(6, 6)] });
  expect([heard, isOver()]).toEqual([[5, 6], false]);
});

test("a piece of which a part was heard is not taken: the message has to be asked for anew", () => {
  const { said, heard, tab, isOver } = world();
  tab.take({ type: "pieces", runId: "r", pieces: [piece(4, 5)] });
  tab.take({ type: "pieces", runId: "r", pieces: [piece(5, 7)] });
  expect([heard, isOver()]).toEqual([[5], true]);
  expect(said.at(-1)).toEqual({ type: "leave", runId: "r" });
});

test("another hub is asked for what comes after the last that was heard", () => {
  const { said, tab } = world();
  tab.take({ type: "pieces", runId: "r", pieces: [piece(4, 9)] });
  tab.take({ type: "hub" });
  expect(said.at(-1)).toEqual({ type: "follow", runId: "r", after: 9 });
});
