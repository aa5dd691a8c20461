// The shape of the documents' front end: a service that calls back for chunks, the end and errors, each part parsed alone.

import { report } from "./report.mjs";

async function sendMessageStream(server, sessionId, { message, documentId }, onChunk, onComplete, onError) {
  try {
    const response = await fetch(`${server}/api/chat/sessions/${sessionId}/messages/stream`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ message, document_id: documentId }),
    });
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      for (const line of decoder.decode(value).split("\n")) {
        if (!line.startsWith("data: ")) continue;
        const data = JSON.parse(line.slice(6));
        if (data.type === "chunk") onChunk(data.content);
        else if (data.type === "done") onComplete(data.fullResponse, data.assistantMessageId, data.sources);
        else if (data.type === "error") onError(new Error(data.message));
      }
    }
  } catch (error) {
    onError(error);
  }
}

await report(async (server, { chat, message }) => {
  const shown = { text: "", pieces: 0, error: null, complete: false, sources: null, ids: [] };
  await sendMessageStream(
    server,
    chat,
    { message },
    (chunk) => {
      shown.text += chunk;
      shown.pieces += 1;
    },
    (fullResponse, messageId, sources) => {
      shown.complete = fullResponse === shown.text;
      shown.ids = [messageId];
      shown.sources = sources;
    },
    (error) => {
      shown.error = error.message;
    },
  );
  return shown;
});
