// The shape of Relay's own code: its backend reads a completion, its page reads a chat. No part is kept for the next read.

import { report } from "./report.mjs";

async function generateStreamingResponse(server, { prompt, model }, onToken) {
  const response = await fetch(`${server}/api/generate/stream`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ prompt, model }),
  });
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const line of decoder.decode(value).split("\n")) {
      if (!line.startsWith("data: ")) continue;
      const data = JSON.parse(line.slice(6));
      if (data.error) throw new Error(data.error);
      if (data.done) return;
      onToken(data.token);
    }
  }
}

async function sendMessage(server, { message, session_id }, show) {
  const response = await fetch(`${server}/api/chat/stream`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ message, session_id }),
  });
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const line of decoder.decode(value).split("\n")) {
      if (line.startsWith("data: ")) show(JSON.parse(line.slice(6)));
    }
  }
}

await report(async (server, given) => {
  const shown = { text: "", pieces: 0, error: null, complete: false };
  const add = (piece) => {
    shown.text += piece;
    shown.pieces += 1;
  };
  if ("prompt" in given) {
    try {
      await generateStreamingResponse(server, given, add);
      shown.complete = true;
    } catch (error) {
      shown.error = error.message;
    }
    return shown;
  }
  await sendMessage(server, given, (data) => {
    if (data.type === "token") add(data.content);
    if (data.type === "done") shown.complete = data.session_id === given.session_id;
    if (data.type === "error") shown.error = data.message;
  });
  return shown;
});
