/** The `chatService` of the documents' front end, over Headrace. */

import { ClientError } from "../errors.ts";
import { failed, Service, type ServiceOptions, textIn } from "./contract.ts";

export interface MessageRequest {
  message: string;
  documentId?: number;
}

/** A source that the text cites by its id, as `[1]`. */
export interface Source {
  id: number;
  document_id: number;
  title: string;
  page?: number;
  snippet: string;
  score: number;
}

export interface ChatService {
  /** Every failure goes to `onError`, once, and the promise resolves. A stopped answer is complete. */
  sendMessageStream(
    sessionId: number | string,
    request: MessageRequest,
    onChunk: (chunk: string) => void,
    onComplete: (fullResponse: string, messageId: number, sources: Source[]) => void,
    onError: (error: Error) => void,
  ): Promise<void>;
}

export function createChatService(options: ServiceOptions = {}): ChatService {
  const service = new Service(options);
  return {
    async sendMessageStream(
      sessionId: number | string,
      { message, documentId }: MessageRequest,
      onChunk: (chunk: string) => void,
      onComplete: (fullResponse: string, messageId: number, sources: Source[]) => void,
      onError: (error: Error) => void,
    ): Promise<void> {
      const path = `/api/chat/sessions/${encodeURIComponent(sessionId)}/messages/stream`;
      try {
        await service.post(path, { message, document_id: documentId }, (data) => {
          switch (data["type"]) {
            case "chunk":
              onChunk(textIn(data["content"]));
              return;
            case "done":
              onComplete(textIn(data["fullResponse"]), Number(data["assistantMessageId"]), sourcesIn(data["sources"]));
              return "last";
            case "error":
              throw failed(data["message"], data);
          }
          return;
        });
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        onError(error);
      }
    },
  };
}

export const chatService = createChatService();

function sourcesIn(value: unknown): Source[] {
  return Array.isArray(value) ? (value as Source[]) : [];
}
