// Drives OpenAI's own JavaScript package.

import assert from "node:assert/strict";
import OpenAI from "openai";
import { IMAGE, JSON_TEXT, SCHEMA, TEXT, play, stopped, url } from "./scenes.mjs";

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const said = (content = "Hello") => [{ role: "user", content }];
const ask = (model, more = {}, content = "Hello") =>
  client.chat.completions.create({ model, messages: said(content), ...more });

async function pieces(model) {
  const got = [];
  for await (const chunk of await ask(model, { stream: true })) {
    const piece = chunk.choices[0]?.delta.content;
    if (piece) got.push(piece);
  }
  return got;
}

await play({
  stream: async () => assert.deepEqual(await pieces("box/text-r50-n5"), ["0 ", "1 ", "2 ", "3 ", "4 "]),
  plain: async () => assert.equal((await ask("box/text")).choices[0].message.content, TEXT),
  error: async () => {
    await assert.rejects(ask("nobody"), (error) => error.status === 404 && error.code === "model_not_found");
    await assert.rejects(pieces("box/eof-after-3"), (error) => error.code === "upstream_closed");
  },
  cancel: async () => {
    const stream = await ask("box/silent-after-2", { stream: true });
    for await (const _ of stream) break;
    stream.controller.abort();
    await stopped("box/silent-after-2");
  },
  "tool call": async () => {
    const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object", properties: {} } } }];
    const [call] = (await ask("box/tool", { tools })).choices[0].message.tool_calls;
    assert.deepEqual([call.function.name, JSON.parse(call.function.arguments)], ["weather", { city: "Bern" }]);
  },
  image: async () => {
    const content = [
      { type: "text", text: "What is this?" },
      { type: "image_url", image_url: { url: IMAGE } },
    ];
    assert.equal((await ask("box/echo", {}, content)).choices[0].message.content, "What is this?");
  },
  "JSON schema": async () => {
    const response_format = { type: "json_schema", json_schema: { name: "answer", schema: SCHEMA } };
    const answer = await ask("box/echo", { response_format }, JSON_TEXT);
    assert.deepEqual(JSON.parse(answer.choices[0].message.content), { x: 1 });
  },
  silence: async () => assert.equal((await pieces("box/text-r3-n4")).join(""), "0 1 2 3 "),
});
