import { expect, test, vi } from "vitest";
import { Client } from "../../client/index.ts";
import { Hub } from "./hub.ts";
import type { Port, ToTab } from "./words.ts";

/** A server whose runs say what they are told to, and count who reads them. */
class Runs {
  readonly asked: string[] = [];
  readonly open = new Set<string>();
  readonly #streams = new Map<string, ReadableStreamDefaultController<Uint8Array>>();
  isAway = false;

  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    const path = String(input);
    if (this.isAway) throw new TypeError("fetch failed");
    if (path.startsWith("/api/v1/runs?")) return Response.json({ runs: [], next: null });
    const run = path.split("/")[4] ?? "";
    const after = new Headers(init?.headers).get("last-event-id") ?? "-";
    this.asked.push(`${run} after ${after}`);
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void this.#streams.set(run, controller) });
    this.open.add(run);
    init?.signal?.addEventListener("abort", () => {
      this.open.delete(run);
      this.#streams.get(run)?.error(new Error("left"));
    });
    return new Response(body, { headers: { "content-type": "text/event-stream", "headrace-run": run } });
  };

  say(run: string, seq: number, event: object): void {
    const data = JSON.stringify({ t: seq, ...event });
    this.#streams.get(run)?.enqueue(new TextEncoder().encode(`id: ${seq}\ndata: ${data}\n\n`));
  }
}

class Tab implements Port {
  readonly heard: ToTab[] = [];
  send(message: ToTab): void {
    this.heard.push(message);
  }

  seqs(runId: string): number[] {
    return this.heard.flatMap((each) =>
      each.type === "entries" && each.runId === runId ? each.entries.map(({ seq }) => seq) : [],
    );
  }
}

function world(): { runs: Runs; hub: Hub } {
  const runs = new Runs();
  return { runs, hub: new Hub(new Client({ fetch: runs.fetch })) };
}

const text = { type: "text", delta: "x" };

test("two tabs that follow a run share one stream, and each hears every event once", async () => {
  const { runs, hub } = world();
  const [one, other] = [new Tab(), new Tab()];
  hub.hear(one, { type: "follow", runId: "r", after: -1 });
  await vi.waitFor(() => expect(runs.open.has("r")).toBe(true));
  for (let seq = 0; seq < 5; seq += 1) runs.say("r", seq, text);
  await vi.waitFor(() => expect(one.seqs("r")).toHaveLength(5));
  hub.hear(other, { type: "follow", runId: "r", after: 1 });
  runs.say("r", 5, text);
  await vi.waitFor(() => expect(other.seqs("r")).toEqual([2, 3, 4, 5]));
  expect(one.seqs("r")).toEqual([0, 1, 2, 3, 4, 5]);
  expect(runs.asked).toEqual(["r after -"]);
  hub.hear(one, { type: "bye" });
  hub.hear(other, { type: "bye" });
  expect(runs.open.size).toBe(0);
});

test("the end of a run is heard, and nothing is asked any more", async () => {
  const { runs, hub } = world();
  const tab = new Tab();
  hub.hear(tab, { type: "follow", runId: "r", after: -1 });
  await vi.waitFor(() => expect(runs.open.has("r")).toBe(true));
  runs.say("r", 0, { type: "run.finished", reason: "stop" });
  await vi.waitFor(() => expect(tab.heard).toContainEqual({ type: "ended", runId: "r", refusal: null }));
  expect(runs.asked).toHaveLength(1);
  hub.hear(tab, { type: "bye" });
});

test("connections are left for requests: of many runs those wanted last are read, and the others after them", async () => {
  const { runs, hub } = world();
  const tab = new Tab();
  const names = ["a", "b", "c", "d", "e", "f"];
  for (const runId of names) hub.hear(tab, { type: "follow", runId, after: -1 });
  await vi.waitFor(() => expect([...runs.open].sort()).toEqual(["c", "d", "e", "f"]));
  runs.say("f", 0, { type: "run.finished", reason: "stop" });
  await vi.waitFor(() => expect(runs.open.has("b")).toBe(true));
  hub.hear(tab, { type: "bye" });
});

test("that the way is lost and found is told to every tab", async () => {
  const { runs, hub } = world();
  const [one, other] = [new Tab(), new Tab()];
  runs.isAway = true;
  hub.hear(other, { type: "here", visible: true });
  hub.hear(one, { type: "follow", runId: "r", after: 3 });
  await vi.waitFor(() => expect(other.heard).toContainEqual({ type: "lost", attempt: 1 }));
  runs.isAway = false;
  await vi.waitFor(() => expect(other.heard).toContainEqual({ type: "found" }), { timeout: 3000 });
  expect(runs.asked).toEqual(["r after 3"]);
  hub.hear(one, { type: "bye" });
  hub.hear(other, { type: "bye" });
});
