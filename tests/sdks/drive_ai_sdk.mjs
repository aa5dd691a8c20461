// Drives the AI SDK by its provider for servers that speak OpenAI's format.

import assert from "node:assert/strict";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, generateText, jsonSchema, streamText, tool } from "ai";
import { JSON_TEXT, PIXEL, SCHEMA, TEXT, play, stopped, url } from "./scenes.mjs";

const headrace = createOpenAICompatible({ name: "headrace", baseURL: `${url}/v1`, supportsStructuredOutputs: true });
const quiet = { maxRetries: 0, onError: () => {} };

async function pieces(model, more = {}) {
  const got = [];
  for await (const part of streamText({ model: headrace(model), prompt: "Hello", ...quiet, ...more }).fullStream) {
    if (part.type === "error") throw part.error;
    if (part.type === "text-delta") got.push(part.text);
  }
  return got;
}

const ask = (model, more = {}) => generateText({ model: headrace(model), prompt: "Hello", maxRetries: 0, ...more });

await play({
  stream: async () => assert.deepEqual(await pieces("box/text-r50-n5"), ["0 ", "1 ", "2 ", "3 ", "4 "]),
  plain: async () => assert.equal((await ask("box/text")).text, TEXT),
  error: async () => {
    await assert.rejects(ask("nobody"), (error) => error.statusCode === 404);
    await assert.rejects(pieces("box/eof-after-3"));
  },
  cancel: async () => {
    const leaving = new AbortController();
    const { fullStream } = streamText({
      model: headrace("box/silent-after-2"),
      prompt: "Hello",
      abortSignal: leaving.signal,
      ...quiet,
    });
    for await (const part of fullStream) if (part.type === "text-delta") leaving.abort();
    await stopped("box/silent-after-2");
  },
  "tool call": async () => {
    const weather = tool({ description: "Tell the weather.", inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } } }) });
    const [call] = (await ask("box/tool", { tools: { weather } })).toolCalls;
    assert.deepEqual([call.toolName, call.input], ["weather", { city: "Bern" }]);
  },
  image: async () => {
    const content = [
      { type: "text", text: "What is this?" },
      { type: "image", image: PIXEL, mediaType: "image/png" },
    ];
    const answer = await ask("box/echo", { prompt: [{ role: "user", content }] });
    assert.equal(answer.text, "What is this?");
  },
  "JSON schema": async () => {
    const answer = await ask("box/echo", { prompt: JSON_TEXT, output: Output.object({ schema: jsonSchema(SCHEMA) }) });
    assert.deepEqual(answer.output, { x: 1 });
  },
  silence: async () => assert.equal((await pieces("box/text-r3-n4")).join(""), "0 1 2 3 "),
});
