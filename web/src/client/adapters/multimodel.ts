/** The `chatService` of the multi-model front end (its `src/services/chatService.ts`), over Headrace. */

import { ClientError } from "../errors.ts";
import { failed, Service, type ServiceOptions, textIn } from "./contract.ts";

/** The ids that take the place of the temporary ones, as the `complete` event has them. */
export interface MessageIds {
  user_message_id: number;
  assistant_message_id: number;
}

export interface StreamOptions {
  onChunk?: (chunk: string) => void;
  onComplete?: (messageIds: MessageIds) => void;
  onError?: (error: string) => void;
}

export interface ChatService {
  /**
   * Every failure goes to `onError`, once, and the promise resolves; without `onError` it rejects. A stopped answer is
   * complete.
   */
  sendMessageStream(chatId: string, content: string, options?: StreamOptions): Promise<void>;
}

export function createChatService(options: ServiceOptions = {}): ChatService {
  const service = new Service(options);
  return {
    async sendMessageStream(chatId: string, content: string, options?: StreamOptions): Promise<void> {
      try {
        await service.post(`/api/chats/${encodeURIComponent(chatId)}/generate-stream`, { content }, (data) => {
          switch (data["type"]) {
            case "chunk":
              options?.onChunk?.(textIn(data["content"]));
              return;
            case "complete":
              options?.onComplete?.({
                user_message_id: Number(data["user_message_id"]),
                assistant_message_id: Number(data["assistant_message_id"]),
              });
              return "last";
            case "error":
              throw failed(data["message"], data);
          }
          return;
        });
      } catch (error) {
        if (!(error instanceof ClientError) || options?.onError === undefined) throw error;
        options.onError(error.message);
      }
    },
  };
}

export const chatService = createChatService();
