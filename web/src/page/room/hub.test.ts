import { expect, test, vi } from "vitest";
import { Server } from "../../client/http.ts";
import { Hub } from "./hub.ts";
import type { Piece, Port, ToTab } from "./words.ts";

/** A server that says what it is told to, and notes what was asked for. */
class Feeds {
  readonly asked: string[] = [];
  readonly open: ReadableStreamDefaultController<Uint8Array>[] = [];
  status = 200;
  isAway = false;
  opened = 0;
  /** What a reply waits for. */
  held: Promise<void> = Promise.resolve();

  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    if (this.isAway) throw new TypeError("fetch failed");
    const { searchParams } = new URL(String(input), "http://headrace");
    this.asked.push(searchParams.get("follow") ?? "");
    await this.held;
    if (this.status !== 200) return new Response("", { status: this.status });
    let own: ReadableStreamDefaultController<Uint8Array> | undefined;
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (own = controller) });
    if (own !== undefined) this.open.push(own);
    this.opened += 1;
    const left = own;
    init?.signal?.addEventListener("abort", () => {
      if (left === undefined || !this.open.includes(left)) return;
      this.open.splice(this.open.indexOf(left), 1);
      left.error(new Error("left"));
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };

  /** Say it on the newest connection, or on another. */
  say(event: object, feed = this.open.at(-1)): void {
    this.sayAll([event], feed);
  }

  /** Say these so that they are read together. */
  sayAll(events: readonly object[], feed = this.open.at(-1)): void {
    feed?.enqueue(new TextEncoder().encode(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")));
  }

  text(run: string, seq: number, from = seq): void {
    this.say({ run, seq, type: "text", t: seq, delta: "x", ...(from === seq ? {} : { from }) });
  }
}

class Tab implements Port {
  readonly heard: ToTab[] = [];
  send(message: ToTab): void {
    this.heard.push(message);
  }

  /** The numbers of all events that came, those within a piece too. */
  seqs(runId: string): number[] {
    return this.pieces(runId).flatMap(({ from, seq }) => Array.from({ length: seq - from + 1 }, (_, index) => from + index));
  }

  pieces(runId: string): Piece[] {
    return this.heard.flatMap((each) => (each.type === "pieces" && each.runId === runId ? each.pieces : []));
  }

  has(runId: string): boolean {
    return this.heard.some((each) => each.type === "ended" && each.runId === runId);
  }
}

function world(): { feeds: Feeds; hub: Hub; tab: Tab } {
  const feeds = new Feeds();
  return { feeds, hub: new Hub(new Server({ fetch: feeds.fetch })), tab: new Tab() };
}

const soon = { timeout: 3000 };

test("two tabs that follow a run share one stream, and each hears every event once", async () => {
  const { feeds, hub, tab } = world();
  const other = new Tab();
  hub.hear(tab, { type: "follow", runId: "r", after: -1 });
  await vi.waitFor(() => expect(feeds.open).toHaveLength(1));
  for (let seq = 0; seq < 5; seq += 1) feeds.text("r", seq);
  await vi.waitFor(() => expect(tab.seqs("r")).toHaveLength(5));
  hub.hear(other, { type: "follow", runId: "r", after: 1 });
  feeds.text("r", 5);
  await vi.waitFor(() => expect(other.seqs("r")).toEqual([2, 3, 4, 5]));
  await vi.waitFor(() => expect(tab.seqs("r")).toEqual([0, 1, 2, 3, 4, 5]));
  expect(feeds.asked).toEqual(["r:-1"]);
  hub.hear(tab, { type: "bye" });
  hub.hear(other, { type: "bye" });
  expect(feeds.open).toEqual([]);
});

test("many runs come over one connection, made anew for another run, each from where it was", async () => {
  const { feeds, hub, tab } = world();
  hub.hear(tab, { type: "follow", runId: "a", after: -1 });
  await vi.waitFor(() => expect(feeds.open).toHaveLength(1));
  feeds.text("a", 0);
  await vi.waitFor(() => expect(tab.seqs("a")).toEqual([0]));
  for (const runId of ["b", "c", "d", "e", "f"]) hub.hear(tab, { type: "follow", runId, after: 3 });
  await vi.waitFor(() => expect(feeds.asked).toHaveLength(2));
  await vi.waitFor(() => expect(feeds.open).toHaveLength(1));
  expect(feeds.asked[1]?.split(",").sort()).toEqual(["a:0", "b:3", "c:3", "d:3", "e:3", "f:3"]);
  feeds.text("a", 1);
  feeds.text("f", 4);
  await vi.waitFor(() => expect([tab.seqs("a"), tab.seqs("f")]).toEqual([[0, 1], [4]]));
  hub.hear(tab, { type: "bye" });
});

test("each tab is told once from when on notices come", async () => {
  const { feeds, hub, tab } = world();
  const other = new Tab();
  hub.hear(tab, { type: "here" });
  await vi.waitFor(() => expect(feeds.open).toHaveLength(1));
  await vi.waitFor(() => expect(tab.heard).toEqual([{ type: "found" }]));
  hub.hear(other, { type: "here" });
  hub.hear(other, { type: "here" });
  expect(other.heard).toEqual([{ type: "found" }]);
});

test("a tab that comes while there is no connection is told when there is one", async () => {
  const { feeds, hub, tab } = world();
  const other = new Tab();
  hub.hear(tab, { type: "here" });
  await vi.waitFor(() => expect(tab.heard).toEqual([{ type: "found" }]));
  feeds.isAway = true;
  feeds.open[0]?.close();
  await vi.waitFor(() => expect(tab.heard.at(-1)?.type).toBe("lost"));
  hub.hear(other, { type: "here" });
  expect(other.heard).toEqual([]);
  feeds.isAway = false;
  await vi.waitFor(() => expect(other.heard.at(-1)).toEqual({ type: "found" }), soon);
});

test("while there is to be another connection the former one tells of notices, and no more of runs", async () => {
  const { feeds, hub, tab } = world();
  hub.hear(tab, { type: "follow", runId: "a", after: -1 });
  await vi.waitFor(() => expect(feeds.open).toHaveLength(1));
  const [former] = feeds.open;
  feeds.isAway = true;
  hub.hear(tab, { type: "follow", runId: "b", after: -1 });
  await vi.waitFor(() => expect(tab.heard).toContainEqual({ type: "lost", attempt: 1 }));
  feeds.say({ run: "a", seq: 0, type: "text", t: 0, delta: "x" }, former);
  feeds.say({ type: "chat.changed", chat_id: 7 }, former);
  const notice = { type: "chat.changed", chat_id: 7 };
  await vi.waitFor(() => expect(tab.heard).toContainEqual({ type: "notice", notice }));
  expect(tab.seqs("a")).toEqual([]);
  feeds.isAway = false;
  await vi.waitFor(() => expect(feeds.asked).toEqual(["a:-1", "b:-1,a:-1"]), soon);
  await vi.waitFor(() => expect(feeds.open).not.toContain(former));
  hub.hear(tab, { type: "bye" });
});

test("a connection that is replaced before it is there leaves the one before it for notices", async () => {
  const { feeds, hub, tab } = world();
  hub.hear(tab, { type: "follow", runId: "a", after: -1 });
  await vi.waitFor(() => expect(feeds.open).toHaveLength(1));
  const [first] = feeds.open;
  let release = (): void => undefined;
  feeds.held = new Promise((resolve) => void (release = resolve));
  hub.hear(tab, { type: "follow", runId: "b", after: -1 });
  await vi.waitFor(() => expect(feeds.asked).toHaveLength(2));
  feeds.held = new Promise(() => undefined);
  hub.hear(tab, { type: "follow", runId: "c", after: -1 });
  await vi.waitFor(() => expect(feeds.asked).toHaveLength(3));
  release();
  await vi.waitFor(() => expect(feeds.opened).toBe(2));
  await new Promise((resolve) => setTimeout(resolve, 0)); // what the reply's coming sets off has run
  feeds.say({ type: "chat.changed", chat_id: 7 }, first);
  const notice = { type: "chat.changed", chat_id: 7 };
  await vi.waitFor(() => expect(tab.heard).toContainEqual({ type: "notice", notice }));
  hub.hear(tab, { type: "bye" });
});

test("the end of a run is heard, and it is not asked for any more", async () => {
  const { feeds, hub, tab } = world();
  hub.hear(tab, { type: "follow", runId: "r", after: -1 });
  await vi.waitFor(() => expect(feeds.open).toHaveLength(1));
  feeds.say({ run: "r", seq: 0, type: "run.finished", t: 0, reason: "stop" });
  await vi.waitFor(() => expect(tab.has("r")).toBe(true));
  expect(tab.seqs("r")).toEqual([0]);
  hub.hear(tab, { type: "follow", runId: "s", after: -1 });
  await vi.waitFor(() => expect(feeds.asked).toEqual(["r:-1", "s:-1"]));
  hub.hear(tab, { type: "bye" });
});

test("a run that is gone is at its end", async () => {
  const { feeds, hub, tab } = world();
  hub.hear(tab, { type: "follow", runId: "r", after: 4 });
  await vi.waitFor(() => expect(feeds.open).toHaveLength(1));
  feeds.say({ type: "run.gone", run_id: "r" });
  await vi.waitFor(() => expect(tab.has("r")).toBe(true));
  hub.hear(tab, { type: "bye" });
});

test("a tab whose place is within merged events has to ask for the message anew", async () => {
  const { feeds, hub, tab } = world();
  const other = new Tab();
  hub.hear(tab, { type: "follow", runId: "r", after: -1 });
  hub.hear(other, { type: "follow", runId: "r", after: 5 });
  await vi.waitFor(() => expect(feeds.open).toHaveLength(1));
  feeds.text("r", 9, 0);
  await vi.waitFor(() => expect(tab.seqs("r")).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
  expect([other.seqs("r"), other.has("r")]).toEqual([[], true]);
  hub.hear(other, { type: "follow", runId: "r", after: 9 });
  feeds.text("r", 10);
  await vi.waitFor(() => expect(other.seqs("r")).toEqual([10]));
  hub.hear(tab, { type: "bye" });
  hub.hear(other, { type: "bye" });
});

test("text that comes together is told in one, and every event is in it", async () => {
  const { feeds, hub, tab } = world();
  hub.hear(tab, { type: "follow", runId: "r", after: -1 });
  await vi.waitFor(() => expect(feeds.open).toHaveLength(1));
  const said = [
    { type: "text", t: 1, delta: "a" },
    { type: "text", t: 2, delta: "b" },
    { type: "reasoning", t: 3, delta: "c" },
    { type: "reasoning", t: 4, delta: "d" },
    { type: "usage", t: 5 },
    { type: "text", t: 6, delta: "e" },
  ];
  feeds.sayAll(said.map((event, seq) => ({ run: "r", seq, ...event })));
  await vi.waitFor(() => expect(tab.seqs("r")).toEqual([0, 1, 2, 3, 4, 5]));
  expect(tab.pieces("r")).toEqual([
    { from: 0, seq: 1, event: { type: "text", t: 1, delta: "ab" } },
    { from: 2, seq: 3, event: { type: "reasoning", t: 3, delta: "cd" } },
    { from: 4, seq: 4, event: { type: "usage", t: 5 } },
    { from: 5, seq: 5, event: { type: "text", t: 6, delta: "e" } },
  ]);
  hub.hear(tab, { type: "bye" });
});

test("a tab that comes later gets what it has not, wherever that begins in what came together", async () => {
  const { feeds, hub, tab } = world();
  hub.hear(tab, { type: "follow", runId: "r", after: -1 });
  await vi.waitFor(() => expect(feeds.open).toHaveLength(1));
  feeds.sayAll([..."abcd"].map((delta, seq) => ({ run: "r", seq, type: "text", t: 0, delta })));
  await vi.waitFor(() => expect(tab.seqs("r")).toEqual([0, 1, 2, 3]));
  const other = new Tab();
  hub.hear(other, { type: "follow", runId: "r", after: 1 });
  expect(other.pieces("r")).toEqual([{ from: 2, seq: 3, event: { type: "text", t: 0, delta: "cd" } }]);
  hub.hear(tab, { type: "bye" });
  hub.hear(other, { type: "bye" });
});

test("events that are missing are asked for again", async () => {
  const { feeds, hub, tab } = world();
  hub.hear(tab, { type: "follow", runId: "r", after: -1 });
  await vi.waitFor(() => expect(feeds.open).toHaveLength(1));
  feeds.text("r", 0);
  feeds.text("r", 2);
  await vi.waitFor(() => expect(feeds.asked).toEqual(["r:-1", "r:0"]), soon);
  expect(tab.seqs("r")).toEqual([0]);
  hub.hear(tab, { type: "bye" });
});

test("that the way is lost and found is told to every tab", async () => {
  const { feeds, hub, tab } = world();
  const other = new Tab();
  feeds.isAway = true;
  hub.hear(other, { type: "here" });
  hub.hear(tab, { type: "follow", runId: "r", after: 3 });
  await vi.waitFor(() => expect(other.heard).toContainEqual({ type: "lost", attempt: 1 }));
  feeds.isAway = false;
  await vi.waitFor(() => expect(other.heard).toContainEqual({ type: "found" }), soon);
  expect(feeds.asked).toEqual(["r:3"]);
  hub.hear(tab, { type: "bye" });
  hub.hear(other, { type: "bye" });
});

test("who is not signed in is told so, and nothing is asked until a tab speaks again", async () => {
  const { feeds, hub, tab } = world();
  feeds.status = 401;
  hub.hear(tab, { type: "here" });
  await vi.waitFor(() => expect(tab.heard).toContainEqual({ type: "unauthorized" }));
  feeds.status = 200;
  expect(feeds.asked).toHaveLength(1);
  hub.hear(tab, { type: "here" });
  await vi.waitFor(() => expect(tab.heard).toContainEqual({ type: "found" }));
  hub.hear(tab, { type: "bye" });
});
