import { describe, expect, test, vi } from "vitest";

import golden from "../../../tests/golden/native/answer.sse?raw";
import type { Answer, ReadOptions } from "./answer.ts";
import { Client } from "./client.ts";
import { ApiError, ClientError } from "./errors.ts";
import type { Entry } from "./events.ts";
import { type Asked, bytesOf, EMOJI, FakeServer, frame, type Given, json, MANGLED, refused, runOf, SCRIPTS, singles } from "./testing.ts";

const FRAMES = runOf(["Hel", "lo"]);
const SOON = { firstMs: 0, longestMs: 0 };
const HEADERS = { "content-type": "text/event-stream; charset=utf-8", "headrace-run": "run_1" };

function client(server: FakeServer, silenceMs?: number): Client {
  return new Client({ baseUrl: "http://headrace/", fetch: server.fetch, ...(silenceMs ? { silenceMs } : {}) });
}

function turn(server: FakeServer, options: ReadOptions = {}): Answer {
  return client(server).turn(1, "Hi", { backoff: SOON, ...options });
}

function streamed(pieces: readonly (string | Uint8Array)[], then: Given["then"] = "end"): Given {
  return { headers: HEADERS, pieces, then };
}

/** What a server that has this run sends: all of it, or what follows the last event that was read. */
function rest(frames: readonly string[]): (asked: Asked) => Given {
  return ({ headers }) => streamed(frames.slice(Number(headers.get("last-event-id") ?? -1) + 1));
}

async function all(answer: Answer): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of answer) entries.push(entry);
  return entries;
}

function entriesOf(frames: readonly string[]): Entry[] {
  return frames.map((text, seq) => ({ seq, event: JSON.parse(text.slice(text.indexOf("data: ") + 6)) as Entry["event"] }));
}

describe("a run from start to end", () => {
  test("every event comes once and in order", async () => {
    const server = new FakeServer().answer(streamed(FRAMES));
    const answer = turn(server);
    expect(server.asked).toEqual([]);
    expect(await all(answer)).toEqual(entriesOf(FRAMES));
    const [asked] = server.asked;
    expect([asked?.method, asked?.path]).toEqual(["POST", "http://headrace/api/v1/chats/1/turns"]);
    expect(asked?.headers.get("accept")).toBe("text/event-stream");
    expect([answer.runId, answer.seq, answer.message.status]).toEqual(["run_1", 3, "complete"]);
    expect(await answer.started).toBe("run_1");
    expect(await all(answer)).toEqual([]);
  });

  test("text is whole also where some was iterated", async () => {
    const server = new FakeServer().answer(rest(FRAMES));
    const answer = turn(server);
    for await (const { event } of answer) if (event.type === "text") break;
    expect([answer.seq, server.left]).toEqual([1, 1]);
    expect(await answer.text()).toBe("Hello");
    expect(server.asked[1]?.headers.get("last-event-id")).toBe("1");
  });

  test("a run is followed from any event", async () => {
    const server = new FakeServer().answer(rest(FRAMES));
    expect(await all(client(server).follow("run/1", { after: 1, speed: 2 }))).toEqual(entriesOf(FRAMES).slice(2));
    expect(server.asked[0]?.path).toBe("http://headrace/api/v1/runs/run%2F1/events?speed=2");
  });

  test("a run that has nothing more ends at once", async () => {
    const server = new FakeServer().answer({ status: 204, headers: {} });
    expect(await all(client(server).follow("run_1", { after: 3 }))).toEqual([]);
  });

  test("the run's id is known from the first event where a proxy strips the header", async () => {
    const headers = { "content-type": "text/event-stream" };
    const server = new FakeServer().answer({ headers, pieces: FRAMES.slice(0, 1), then: "drop" }, rest(FRAMES));
    expect(await turn(server).text()).toBe("Hello");
    expect(server.asked[1]?.path).toBe("http://headrace/api/v1/runs/run_1/events");
  });

  test("merged texts count as all that they stand for", async () => {
    const [first = ""] = FRAMES;
    const merged = frame(2, { type: "text", delta: "Hello", from: 1 });
    const server = new FakeServer().answer(streamed([first, merged], "drop"), rest(FRAMES));
    const answer = turn(server);
    expect(await answer.text()).toBe("Hello");
    expect([server.asked[1]?.headers.get("last-event-id"), answer.message.seq]).toEqual(["2", 3]);
  });

  test("events of a later version are passed over, and counted", async () => {
    const frames = runOf(["Hel", "lo"]);
    frames.splice(2, 1, frame(2, { type: "text.sung", delta: "la" }), frame(3, { type: "text", delta: "lo" }));
    frames.splice(4, 1, frame(4, { type: "run.finished", reason: "stop" }));
    const answer = turn(new FakeServer().answer(streamed(frames)));
    expect((await all(answer)).map(({ seq }) => seq)).toEqual([0, 1, 3, 4]);
    expect([answer.message.text, answer.message.seq]).toEqual(["Hello", 4]);
  });
});

describe("lost connections", () => {
  const rich = runOf([...SCRIPTS, ...EMOJI, ...MANGLED]);
  const goldens = golden.split(/(?<=\n\n)/);

  test.each([
    ["a golden answer", goldens, "drop"],
    ["five scripts and emoji", rich, "drop"],
    ["five scripts and emoji, ended as if complete", rich, "end"],
  ] as const)("after every byte: %s", { timeout: 60_000 }, async (_, frames, then) => {
    const bytes = bytesOf(frames.join(""));
    const expected = JSON.stringify(entriesOf(frames));
    for (let at = 0; at < bytes.length; at += 1) {
      const server = new FakeServer().answer(streamed([bytes.subarray(0, at)], then), rest(frames));
      const read = await all(turn(server));
      if (JSON.stringify(read) !== expected) expect(read, `cut at ${at}`).toEqual(entriesOf(frames));
    }
  });

  test("again and again, byte by byte, at random places", async () => {
    const whole = rich.join("");
    for (let round = 0; round < 20; round += 1) {
      let cut = 0;
      const server = new FakeServer().answer((asked) => {
        const given = rest(rich)(asked);
        if (cut++ > 30) return given;
        const bytes = bytesOf((given.pieces ?? []).join(""));
        return streamed(singles(bytes.subarray(0, Math.floor(Math.random() * 400))), "drop");
      });
      const answer = turn(server);
      const entries = await all(answer);
      expect(entries).toEqual(entriesOf(rich));
      expect(server.asked.length).toBeGreaterThan(2);
    }
    expect(whole).toContain("🚆");
  });

  test("a message whose reply never came is sent again as the same", async () => {
    const server = new FakeServer().answer("refuse", { status: 502, headers: {} }, streamed(FRAMES));
    expect(await turn(server).text()).toBe("Hello");
    expect(server.asked.map(({ method }) => method)).toEqual(["POST", "POST", "POST"]);
    expect(new Set(server.asked.map(({ body }) => body.client_id)).size).toBe(1);
    expect(server.asked[0]?.body.client_id).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  });

  test("events that come again are passed over", async () => {
    const server = new FakeServer().answer(streamed(FRAMES.slice(0, 3), "drop"), streamed(FRAMES));
    expect(await all(turn(server))).toEqual(entriesOf(FRAMES));
  });

  test("it goes on until the server is there again, and says so", async () => {
    const lost: string[] = [];
    let found = 0;
    const down = Array.from({ length: 40 }, (_, at) => (at % 2 ? "refuse" : refused(503, "draining", "Later.")));
    const server = new FakeServer().answer(streamed(FRAMES.slice(0, 2), "drop"), ...(down as Given[]), rest(FRAMES));
    const answer = turn(server, { onLost: ({ code }) => lost.push(code), onFound: () => (found += 1) });
    expect(await answer.text()).toBe("Hello");
    expect([lost.length, found, new Set(lost)]).toEqual([41, 2, new Set(["connection_lost", "draining"])]);
  });

  test.each([
    ["a frame without a number", "data: {}\n\n"],
    ["no JSON", "id: 2\ndata: <html>\n\n"],
    ["a gap", frame(3, { type: "run.finished", reason: "stop" })],
    ["merged texts that overlap", frame(2, { type: "text", delta: "Hello", from: 1 })],
  ])("%s is not believed: it is asked for again", async (_, nonsense) => {
    const server = new FakeServer().answer(streamed([...FRAMES.slice(0, 2), nonsense]), rest(FRAMES));
    expect(await all(turn(server))).toEqual(entriesOf(FRAMES));
    expect(server.asked[1]?.headers.get("last-event-id")).toBe("1");
  });

  test("a page in the place of the stream is not believed", async () => {
    const page = { headers: { "content-type": "text/html" }, pieces: ["<html>"] };
    const server = new FakeServer().answer(streamed(FRAMES.slice(0, 2), "drop"), page, rest(FRAMES));
    expect(await turn(server).text()).toBe("Hello");
  });

  test("a stream that falls silent counts as lost", async () => {
    const server = new FakeServer().answer(streamed([...FRAMES.slice(0, 2), ": ping\n\n"], "hold"), rest(FRAMES));
    expect(await client(server, 20).turn(1, "Hi", { backoff: SOON }).text()).toBe("Hello");
    expect(server.left).toBeGreaterThan(0);
  });

  test("waits double, are shortened by chance, and start again with the next event", async () => {
    vi.useFakeTimers();
    try {
      const waits: number[] = [];
      const refuse = ["refuse", "refuse", "refuse", "refuse"] as const;
      const server = new FakeServer().answer(...refuse, streamed(FRAMES.slice(0, 2), "drop"), "refuse", rest(FRAMES));
      const backoff = { firstMs: 100, longestMs: 500, chance: () => 0.5 };
      const reading = turn(server, { backoff, onLost: (_, waitMs) => waits.push(waitMs) }).text();
      await vi.runAllTimersAsync();
      expect(await reading).toBe("Hello");
      expect(waits).toEqual([75, 150, 300, 375, 75, 150]);
    } finally {
      vi.useRealTimers();
    }
  });

  test("a server that says when to come again is waited for so long", async () => {
    vi.useFakeTimers();
    try {
      const waits: number[] = [];
      const busy = refused(429, "rate_limited", "Slowly.", { "retry-after": "12" });
      const server = new FakeServer().answer(streamed(FRAMES.slice(0, 2), "drop"), busy, rest(FRAMES));
      const reading = turn(server, { onLost: (_, waitMs) => waits.push(waitMs) }).text();
      await vi.runAllTimersAsync();
      expect(await reading).toBe("Hello");
      expect(waits).toEqual([0, 12_000]);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("refusals", () => {
  test.each([
    [401, "unauthorized"],
    [404, "not_found"],
    [409, "chat_busy"],
    [422, "invalid_field"],
    [429, "rate_limited"],
    [502, "upstream_refused"],
    [503, "overloaded"],
  ])("what refuses a turn is thrown: %i", async (status, code) => {
    const server = new FakeServer().answer(refused(status, code, "As it is.", { "retry-after": "9" }));
    const answer = turn(server);
    const error = await answer.text().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status, code, message: "As it is.", retryAfterS: 9, retryable: status === 429 || status >= 500 });
    await expect(answer.started).rejects.toBe(error);
    expect(server.asked.length).toBe(1);
  });

  test.each([401, 404, 410])("a run that is gone meanwhile is an error after its events: %i", async (status) => {
    const server = new FakeServer().answer(streamed(FRAMES.slice(0, 3), "drop"), refused(status, "gone", "No."));
    const answer = turn(server);
    await expect(answer.text()).rejects.toMatchObject({ status });
    expect(answer.message.text).toBe("Hello");
  });

  test("a page that refuses is an error by its status", async () => {
    const server = new FakeServer().answer({ status: 404, headers: {}, pieces: ["<html>"] });
    await expect(turn(server).text()).rejects.toMatchObject({ code: "http_error", message: "The server answered 404." });
  });
});

describe("ends", () => {
  const started = runOf(["Hel"]).slice(0, 2);

  test("that a run fails is an event, and an error of its text", async () => {
    const failed = frame(2, { type: "run.failed", code: "bad_key", message: "The key is wrong.", retryable: false });
    const server = new FakeServer().answer(streamed([...started, failed]));
    const answer = turn(server);
    expect((await all(answer)).at(-1)?.event.type).toBe("run.failed");
    await expect(answer.text()).rejects.toMatchObject({ code: "bad_key", message: "The key is wrong.", retryable: false });
    expect([answer.message.status, answer.message.text]).toEqual(["failed", "Hel"]);
  });

  test("an answer that was cut off is not taken for a whole one", async () => {
    const server = new FakeServer().answer(streamed([...started, frame(2, { type: "run.interrupted", reason: "crash" })]));
    await expect(turn(server).text()).rejects.toMatchObject({ code: "interrupted" });
  });

  test("stopping asks the server, and the rest can still be read", async () => {
    const stopped = frame(2, { type: "run.stopped", by: "user" });
    const server = new FakeServer().answer(streamed([...started, stopped]), "refuse", json({ run_id: "run_1", status: "stopped" }));
    const answer = turn(server);
    await expect(answer.stop()).rejects.toMatchObject({ code: "not_started" });
    const reading = answer.text();
    expect(await answer.stop()).toBe("stopped");
    expect(await reading).toBe("Hel");
    expect(server.asked.slice(1).map(({ method, path }) => `${method} ${path}`)).toEqual(
      Array(2).fill("POST http://headrace/api/v1/runs/run_1/stop"),
    );
  });

  test("stopping a run that refused to start says why", async () => {
    const answer = turn(new FakeServer().answer(refused(409, "chat_busy", "Still being made.")));
    const reading = answer.text().catch(() => undefined);
    await expect(answer.stop()).rejects.toMatchObject({ code: "chat_busy" });
    await reading;
  });
});

describe("aborts", () => {
  test("an abort in mid-stream hangs up and throws its reason", async () => {
    const controller = new AbortController();
    const server = new FakeServer().answer(streamed(FRAMES.slice(0, 2), "hold"));
    const answer = turn(server, { signal: controller.signal });
    const seen: number[] = [];
    const reading = (async () => {
      for await (const { seq } of answer) {
        seen.push(seq);
        if (seq === 1) setTimeout(() => controller.abort(new Error("enough")), 5);
      }
    })();
    await expect(reading).rejects.toThrow("enough");
    expect([seen, server.left, server.asked.length]).toEqual([[0, 1], 1, 1]);
  });

  test("after an abort nothing of the same read comes any more, and nothing is lost", async () => {
    const controller = new AbortController();
    const server = new FakeServer().answer(streamed([FRAMES.join("")]), rest(FRAMES));
    const answer = turn(server, { signal: controller.signal });
    const reading = (async () => {
      for await (const { seq } of answer) if (seq === 1) controller.abort();
    })();
    await expect(reading).rejects.toMatchObject({ name: "AbortError" });
    expect(answer.seq).toBe(1);
    expect(await client(server).follow("run_1", { after: answer.seq }).text()).toBe("lo");
  });

  test("an abort ends the wait for a server that is away", async () => {
    const controller = new AbortController();
    const server = new FakeServer().answer("refuse");
    const onLost = (): void => void setTimeout(() => controller.abort(), 5);
    const answer = turn(server, { signal: controller.signal, backoff: { firstMs: 60_000 }, onLost });
    await expect(answer.text()).rejects.toMatchObject({ name: "AbortError" });
  });

  test("what is aborted before it begins is not sent", async () => {
    const server = new FakeServer().answer(streamed(FRAMES));
    await expect(turn(server, { signal: AbortSignal.abort() }).text()).rejects.toMatchObject({ name: "AbortError" });
    expect(server.asked).toEqual([]);
  });

  test("who reads an answer twice at once is told", async () => {
    const answer = turn(new FakeServer().answer(streamed(FRAMES, "hold")));
    await answer[Symbol.asyncIterator]().next();
    await expect(answer.text()).rejects.toThrow("being read already");
    expect(new ClientError("x", { code: "y" }).retryable).toBe(false);
  });
});
