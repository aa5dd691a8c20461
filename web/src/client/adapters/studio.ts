/** The `chatbotAPI` of the studio's front end (its `frontend/src/api.ts`), over Headrace. */

import { ClientError } from "../errors.ts";
import { failed, Service, type ServiceOptions, textIn } from "./contract.ts";

export interface ChatbotAPI {
  /** Every failure goes to `onError`, once, as an Error, and the promise resolves. A stopped answer is complete. */
  sendMessageStream: (
    data: any,
    onMetadata: (metadata: any) => void,
    onChunk: (chunk: string) => void,
    onComplete: (fullContent: string, assistantMessageId: number) => void,
    onError: (error: any) => void,
  ) => Promise<void>;
}

export function createChatbotAPI(options: ServiceOptions = {}): ChatbotAPI {
  const service = new Service(options);
  return {
    sendMessageStream: async (
      data: any,
      onMetadata: (metadata: any) => void,
      onChunk: (chunk: string) => void,
      onComplete: (fullContent: string, assistantMessageId: number) => void,
      onError: (error: any) => void,
    ): Promise<void> => {
      try {
        await service.post("/api/chatbot/messages/stream", data, (event) => {
          switch (event["type"]) {
            case "metadata":
              onMetadata(event);
              return;
            case "chunk":
              onChunk(textIn(event["content"]));
              return;
            case "done":
              onComplete(textIn(event["full_content"]), Number(event["assistant_message_id"]));
              return "last";
            case "error":
              throw failed(event["message"], event);
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

export const chatbotAPI = createChatbotAPI();
