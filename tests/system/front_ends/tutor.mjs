// The shape of the tutor's front end: each read is decoded and split at newlines, and each part parsed alone.

import { report } from "./report.mjs";

async function sendMessageStream(server, body, onToken, onComplete) {
  const response = await fetch(`${server}/chat/stream`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    for (const line of decoder.decode(value).split("\n")) {
      if (line.startsWith("data: ")) {
        const data = JSON.parse(line.slice(6));
        if (data.token) onToken(data.token);
        if (data.done) onComplete(data);
      }
    }
  }
}

await report(async (server, given) => {
  const shown = { text: "", pieces: 0, error: null, complete: false };
  await sendMessageStream(
    server,
    given,
    (token) => {
      shown.text += token;
      shown.pieces += 1;
    },
    ({ error, full_text }) => {
      shown.error = error ?? null;
      shown.complete = full_text === shown.text;
    },
  );
  return shown;
});
