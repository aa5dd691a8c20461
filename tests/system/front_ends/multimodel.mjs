// The shape of the multi-model front end: a service that keeps the unfinished line for the next read, and a page that
// shows both messages at once under temporary ids and swaps in the real ones.

import { report } from "./report.mjs";

async function sendMessageStream(server, chatId, content, options) {
  const response = await fetch(`${server}/api/chats/${chatId}/generate-stream`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ content }),
  });
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let buffer = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    buffer += decoder.decode(value, { stream: true });
    const lines = buffer.split("\n");
    buffer = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data: ")) continue;
      const event = JSON.parse(line.slice(6));
      if (event.type === "start") options.onStart(event);
      if (event.type === "chunk") options.onChunk(event.content);
      if (event.type === "complete") options.onComplete(event);
      if (event.type === "error") options.onError(event.message);
    }
  }
}

await report(async (server, { chat, content }) => {
  const shown = { text: "", pieces: 0, error: null, complete: false, badge: null, ids: [] };
  let messages = [
    { id: "temp-user", role: "user", content },
    { id: "temp-assistant", role: "assistant", content: "" },
  ];
  const change = (id, changes) => {
    messages = messages.map((message) => (message.id === id ? { ...message, ...changes } : message));
  };
  await sendMessageStream(server, chat, content, {
    onStart: (event) => {
      shown.badge = event.model.name;
    },
    onChunk: (chunk) => {
      const { content: before } = messages.find((message) => message.id === "temp-assistant");
      change("temp-assistant", { content: before + chunk });
      shown.pieces += 1;
    },
    onComplete: (ids) => {
      change("temp-user", { id: ids.user_message_id });
      change("temp-assistant", { id: ids.assistant_message_id });
      shown.complete = true;
    },
    onError: (message) => {
      shown.error = message;
    },
  });
  return { ...shown, text: messages[1].content, ids: messages.map((message) => message.id) };
});
