// Drives Ollama's own JavaScript package.

import assert from "node:assert/strict";
import { Ollama } from "ollama";
import { JSON_TEXT, PIXEL, SCHEMA, TEXT, play, stopped, url } from "./scenes.mjs";

const client = new Ollama({ host: `${url}/ollama` });
const ask = (model, more = {}, message = {}) =>
  client.chat({ model, messages: [{ role: "user", content: "Hello", ...message }], ...more });

async function pieces(model) {
  const got = [];
  for await (const line of await ask(model, { stream: true })) got.push(line.message.content);
  return got;
}

await play({
  stream: async () => assert.deepEqual(await pieces("box/text-r50-n5"), ["0 ", "1 ", "2 ", "3 ", "4 ", ""]),
  plain: async () => assert.equal((await ask("box/text")).message.content, TEXT),
  error: async () => {
    await assert.rejects(ask("nobody"), (error) => error.status_code === 404 && /nobody/.test(error.message));
    await assert.rejects(pieces("box/eof-after-3"));
  },
  cancel: async () => {
    const stream = await ask("box/silent-after-2", { stream: true });
    await stream[Symbol.asyncIterator]().next();
    stream.abort();
    await stopped("box/silent-after-2");
  },
  "tool call": async () => {
    const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object", properties: {} } } }];
    const [call] = (await ask("box/tool", { tools })).message.tool_calls;
    assert.deepEqual([call.function.name, call.function.arguments], ["weather", { city: "Bern" }]);
  },
  image: async () => {
    const answer = await ask("box/echo", {}, { content: "What is this?", images: [PIXEL] });
    assert.equal(answer.message.content, "What is this?");
  },
  "JSON schema": async () => {
    const answer = await ask("box/echo", { format: SCHEMA }, { content: JSON_TEXT });
    assert.deepEqual(JSON.parse(answer.message.content), { x: 1 });
  },
  silence: async () => assert.equal((await pieces("box/text-r3-n4")).join(""), "0 1 2 3 "),
});
