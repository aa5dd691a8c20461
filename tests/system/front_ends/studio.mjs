// The shape of the studio's front end: each part is parsed alone; its page makes the answer's place when the metadata is
// there, puts the text and the real id into it, and clears it where the answer fails. Cancel aborts the request.

import { report } from "./report.mjs";

async function sendMessageStream(server, data, signal, onMetadata, onChunk, onComplete, onError) {
  const response = await fetch(`${server}/api/chatbot/messages/stream`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: "Bearer YOUR_TOKEN" },
    body: JSON.stringify(data),
    signal,
  });
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  while (true) {
    const { done, value } = await reader.read();
    if (done) break;
    const lines = decoder.decode(value).split("\n");
    for (const line of lines) {
      if (line.startsWith("data: ")) {
        const event = JSON.parse(line.slice(6));
        switch (event.type) {
          case "metadata":
            onMetadata(event);
            break;
          case "chunk":
            onChunk(event.content);
            break;
          case "done":
            onComplete(event.full_content, event.assistant_message_id);
            break;
          case "error":
            onError(new Error(event.message));
            break;
        }
      }
    }
  }
}

await report(async (server, { cancel_after = Infinity, ...data }) => {
  const shown = { text: "", pieces: 0, error: null, complete: false, ids: [], metadata: null };
  const temporary = -Date.now();
  const controller = new AbortController();
  let messages = [];
  const change = (changes) => {
    messages = messages.map((message) => (message.id === temporary ? { ...message, ...changes } : message));
  };
  try {
    await sendMessageStream(
      server,
      data,
      controller.signal,
      (metadata) => {
        shown.metadata = metadata;
        messages = [...messages, { id: temporary, role: "assistant", content: "" }];
      },
      (chunk) => {
        shown.text += chunk;
        shown.pieces += 1;
        change({ content: shown.text });
        if (shown.pieces >= cancel_after) controller.abort();
      },
      (fullContent, realId) => {
        shown.complete = fullContent === shown.text;
        change({ id: realId, content: fullContent });
      },
      (error) => {
        shown.error = error.message;
        messages = messages.filter((message) => message.id !== temporary);
      },
    );
  } catch (error) {
    shown.error = error.name;
  }
  return { ...shown, ids: messages.map((message) => message.id) };
});
