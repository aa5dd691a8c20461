import { describe, expect, expectTypeOf, test, vi } from "vitest";

import { createChatService as createDocuments, chatService as documents, type Source } from "./adapters/documents.ts";
import { createChatService as createMultimodel, chatService as multimodel, type MessageIds } from "./adapters/multimodel.ts";
import { createChatbotAPI, chatbotAPI } from "./adapters/studio.ts";
import { createChatService as createTutor, chatService as tutor } from "./adapters/tutor.ts";
import type { ServiceOptions } from "./adapters/contract.ts";
import { bytesOf, cuts, EMOJI, FakeServer, type Given, refused, SCRIPTS } from "./testing.ts";

type Calls = unknown[][];
type Run = (options: ServiceOptions, calls: Calls) => Promise<void>;

/** As the server writes it: JSON with every character outside ASCII escaped, one line, a blank line. */
function data(value: unknown, event?: string): string {
  const ascii = JSON.stringify(value).replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return `${event === undefined ? "" : `event: ${event}\n`}data: ${ascii}\n\n`;
}

const PIECES = [...SCRIPTS, ...EMOJI, "\u2028 and \r\n"];
const TEXT = PIECES.join("");
const USAGE = { run_id: "run_1", usage: { input_tokens: 3, output_tokens: 9 }, tokens_per_second: 45.5, finish_reason: "stop" };
const SOURCES: Source[] = [{ id: 1, document_id: 123, title: "Risiken", page: 4, snippet: "…", score: 0.5 }];
const CORRECTIONS = [{ original: "yo soy", corrected: "estoy", explanation: "x", category: "verb", start: 0, end: 6 }];
const PING = ": ping\n\n";
const DONE_TUTOR = { done: true, full_text: TEXT, corrections: CORRECTIONS, message_id: 6, ...USAGE };

function named(type: string, fields: object): string {
  return data({ type, ...fields }, type);
}

function typed(type: string, fields: object): string {
  return data({ type, ...fields });
}

/** Of each contract: a stream, the calls that it makes, its error event, and how a front end calls it. */
const CONTRACTS: Record<string, { head: string; last: string; calls: Calls; error: string; stopped: string; path: string; body: object; run: Run }> = {
  multimodel: {
    head: [
      named("start", { model: { id: "box/a", name: "a", provider: "box" }, route: { category: "general", reason: "r" }, user_message_id: 5, assistant_message_id: 6, run_id: "run_1" }),
      PING,
      named("model", { state: "loading", model: "box/a", progress: 0.5 }),
      named("thought", { content: "hm" }),
      ...PIECES.map((content) => named("chunk", { content })),
    ].join(""),
    last: named("complete", { user_message_id: 5, assistant_message_id: 6, model: { id: "box/a" }, ...USAGE }),
    calls: [...PIECES.map((piece) => ["chunk", piece]), ["complete", { user_message_id: 5, assistant_message_id: 6 }]],
    error: named("error", { message: "The model is away.", code: "upstream_closed", retryable: true }),
    stopped: named("complete", { user_message_id: 5, assistant_message_id: 6, stopped: true }),
    path: "/api/chats/1%2F2/generate-stream",
    body: { content: "Hi" },
    run: (options, calls) =>
      createMultimodel(options).sendMessageStream("1/2", "Hi", {
        onChunk: (chunk) => calls.push(["chunk", chunk]),
        onComplete: (messageIds) => calls.push(["complete", messageIds]),
        onError: (error) => calls.push(["error", error]),
      }),
  },
  tutor: {
    head: [data({ token: PIECES[0], run_id: "run_1" }), PING, ...PIECES.slice(1).map((token) => data({ token }))].join(""),
    last: data(DONE_TUTOR),
    calls: [...PIECES.map((piece) => ["chunk", piece]), ["complete", TEXT, CORRECTIONS]],
    error: data({ error: "The model is away.", retryable: true, done: true }),
    stopped: data({ ...DONE_TUTOR, corrections: null, stopped: true }),
    path: "/chat/stream",
    body: { conversation_id: 1, user_message: "Hola", language: "spanish", difficulty_level: "A1" },
    run: async (options, calls) => {
      try {
        await createTutor(options).sendMessageStream(
          1, "Hola", "spanish", "A1",
          (token) => calls.push(["chunk", token]),
          (fullText, corrections) => calls.push(["complete", fullText, corrections]),
        );
      } catch (error) {
        if (options.signal?.()?.aborted) throw error;
        calls.push(["error", (error as Error).message]);
      }
    },
  },
  documents: {
    head: [
      typed("start", { userMessageId: 5, sources: SOURCES, run_id: "run_1" }),
      typed("thought", { content: "hm" }),
      PING,
      ...PIECES.map((content) => typed("chunk", { content })),
    ].join(""),
    last: typed("done", { assistantMessageId: 6, fullResponse: TEXT, sources: SOURCES, ...USAGE }),
    calls: [...PIECES.map((piece) => ["chunk", piece]), ["complete", TEXT, 6, SOURCES]],
    error: typed("error", { message: "The model is away." }),
    stopped: typed("done", { assistantMessageId: 6, fullResponse: TEXT, sources: [], stopped: true }),
    path: "/api/chat/sessions/1/messages/stream",
    body: { message: "Hi", document_id: 123 },
    run: (options, calls) =>
      createDocuments(options).sendMessageStream(
        1,
        { message: "Hi", documentId: 123 },
        (chunk) => calls.push(["chunk", chunk]),
        (fullResponse, messageId, sources) => calls.push(["complete", fullResponse, messageId, sources]),
        (error) => calls.push(["error", error.message]),
      ),
  },
  studio: {
    head: [
      typed("metadata", { session_id: 1, user_message_id: 5, session_key: "k", run_id: "run_1", simulated: true }),
      PING,
      typed("thought", { content: "hm" }),
      ...PIECES.map((content) => typed("chunk", { content })),
    ].join(""),
    last: typed("done", { assistant_message_id: 6, full_content: TEXT, ...USAGE }),
    calls: [
      ["metadata", { type: "metadata", session_id: 1, user_message_id: 5, session_key: "k", run_id: "run_1", simulated: true }],
      ...PIECES.map((piece) => ["chunk", piece]),
      ["complete", TEXT, 6],
    ],
    error: typed("error", { message: "The model is away." }),
    stopped: typed("done", { assistant_message_id: 6, full_content: TEXT, stopped: true }),
    path: "/api/chatbot/messages/stream",
    body: { session_id: 1, content: "Hi", template_id: null },
    run: (options, calls) =>
      createChatbotAPI(options).sendMessageStream(
        { session_id: 1, content: "Hi", template_id: null },
        (metadata) => calls.push(["metadata", metadata]),
        (chunk) => calls.push(["chunk", chunk]),
        (fullContent, assistantMessageId) => calls.push(["complete", fullContent, assistantMessageId]),
        (error) => calls.push(["error", (error as Error).message]),
      ),
  },
};

async function called(run: Run, ...answers: (Given | "refuse")[]): Promise<Calls> {
  const calls: Calls = [];
  await run({ fetch: new FakeServer().answer(...answers).fetch }, calls);
  return calls;
}

describe.each(Object.entries(CONTRACTS))("%s", (name, { head, last, calls, error, stopped, path, body, run }) => {
  const before = calls.slice(0, -1);

  test("a message is sent as the contract has it", async () => {
    const server = new FakeServer().answer({ pieces: [head + last] });
    await run({ baseUrl: "http://headrace", token: "secret", fetch: server.fetch }, []);
    const [asked] = server.asked;
    expect([asked?.method, asked?.path, asked?.body]).toEqual(["POST", `http://headrace${path}`, body]);
    expect(asked?.headers.get("authorization")).toBe("Bearer secret");
    expect(asked?.headers.get("content-type")).toBe("application/json");
  });

  test("however the stream is cut, the calls are the same", async () => {
    for (const pieces of cuts(bytesOf(head + last))) {
      const made = await called(run, { pieces });
      if (JSON.stringify(made) !== JSON.stringify(calls)) expect(made, `cut at ${pieces[0]?.length}`).toEqual(calls);
    }
    expect(await called(run, { pieces: [head + last] })).toEqual(calls);
  });

  test("what is not ASCII may also come unescaped", async () => {
    const raw = (head + last).replace(/\\u([\da-f]{4})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
    expect(await called(run, { pieces: [raw.replaceAll("\n", "\r\n")] })).toEqual(calls);
  });

  test("an error in mid-stream keeps what came before it", async () => {
    expect(await called(run, { pieces: [head + error] })).toEqual([...before, ["error", "The model is away."]]);
  });

  test.each(["end", "drop"] as const)("a stream that is cut off is an error, never complete (%s)", async (then) => {
    const made = await called(run, { pieces: [head, last.slice(0, -3)], then });
    expect(made.slice(0, -1)).toEqual(before);
    expect(made.at(-1)).toEqual(["error", expect.stringMatching(/connection/)]);
  });

  test("a refusal is an error with the server's words", async () => {
    const busy = refused(429, "rate_limited", "Slowly.");
    expect(await called(run, busy)).toEqual([["error", "Slowly."]]);
    expect(await called(run, { status: 502, headers: {} })).toEqual([["error", "The server answered 502."]]);
    expect(await called(run, "refuse")).toEqual([["error", "The connection to the server was lost."]]);
    expect((await called(run, { pieces: ["data: <html>\n\n"] }))[0]?.[1]).toMatch(/is not JSON/);
  });

  test("a stopped answer is complete with what was made, and nothing after it is read", async () => {
    const made = await called(run, { pieces: [head + stopped + error], then: "hold" });
    expect(made.map(([what]) => what)).toEqual(calls.map(([what]) => what));
  });

  test("an abort hangs up, makes no more calls and rejects with its reason", async () => {
    const controller = new AbortController();
    const server = new FakeServer().answer({ pieces: [head], then: "hold" });
    const made: Calls = [];
    setTimeout(() => controller.abort(), 20);
    const running = run({ fetch: server.fetch, signal: () => controller.signal }, made);
    await expect(running).rejects.toMatchObject({ name: "AbortError" });
    expect(made).toEqual(before);
    expect([name, server.left]).toEqual([name, 1]);
  });
});

test("an abort within a call ends the calls of the same read", async () => {
  const controller = new AbortController();
  const chunks: string[] = [];
  const { head = "", last = "" } = CONTRACTS["multimodel"] ?? {};
  const fetch = new FakeServer().answer({ pieces: [head + last] }).fetch;
  const onChunk = (chunk: string): void => {
    chunks.push(chunk);
    controller.abort();
  };
  const running = createMultimodel({ fetch, signal: () => controller.signal }).sendMessageStream("1", "Hi", { onChunk });
  await expect(running).rejects.toMatchObject({ name: "AbortError" });
  expect(chunks).toEqual(PIECES.slice(0, 1));
});

test("an error of a callback is the front end's own, and no failure of the stream", async () => {
  const onError = vi.fn();
  const { head = "", last = "" } = CONTRACTS["multimodel"] ?? {};
  const fetch = new FakeServer().answer({ pieces: [head + last] }).fetch;
  const onChunk = (): never => {
    throw new RangeError("of the page");
  };
  await expect(createMultimodel({ fetch }).sendMessageStream("1", "Hi", { onChunk, onError })).rejects.toThrow("of the page");
  expect(onError).not.toHaveBeenCalled();
});

test("without onError a failure of multimodel rejects, and its options may be left out", async () => {
  const { error = "", head = "", last = "" } = CONTRACTS["multimodel"] ?? {};
  const service = createMultimodel({ fetch: new FakeServer().answer({ pieces: [error] }, { pieces: [head + last] }).fetch });
  await expect(service.sendMessageStream("1", "Hi")).rejects.toMatchObject({ code: "upstream_closed", retryable: true });
  await expect(service.sendMessageStream("1", "Hi")).resolves.toBeUndefined();
});

test("the tutor's failures say whether a Retry helps", async () => {
  const service = createTutor({ fetch: new FakeServer().answer({ pieces: [CONTRACTS["tutor"]?.error ?? ""] }).fetch });
  const running = service.sendMessageStream(1, "Hola", "spanish", "A1", () => undefined, () => undefined);
  await expect(running).rejects.toMatchObject({ message: "The model is away.", retryable: true });
});

test("the signatures are those of the write-ups", () => {
  expectTypeOf(multimodel.sendMessageStream).toEqualTypeOf<
    (
      chatId: string,
      content: string,
      options?: {
        onChunk?: (chunk: string) => void;
        onComplete?: (messageIds: MessageIds) => void;
        onError?: (error: string) => void;
      },
    ) => Promise<void>
  >();
  expectTypeOf(tutor.sendMessageStream).toEqualTypeOf<
    (
      conversation_id: number,
      user_message: string,
      language: string,
      difficulty_level: string,
      onToken: (token: string) => void,
      onComplete: (fullText: string, corrections?: any) => void,
    ) => Promise<void>
  >();
  expectTypeOf(documents.sendMessageStream).toBeCallableWith(
    1,
    { message: "Hello", documentId: 123 },
    (_chunk) => undefined,
    (_fullResponse, _messageId, _sources) => undefined,
    (_error) => undefined,
  );
  expectTypeOf(chatbotAPI.sendMessageStream).toEqualTypeOf<
    (
      data: any,
      onMetadata: (metadata: any) => void,
      onChunk: (chunk: string) => void,
      onComplete: (fullContent: string, assistantMessageId: number) => void,
      onError: (error: any) => void,
    ) => Promise<void>
  >();
});
