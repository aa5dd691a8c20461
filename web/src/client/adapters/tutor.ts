/** The `chatService` of the tutor's front end (its `frontend/src/services/api.ts`), over Headrace. */

import { failed, Service, type ServiceOptions, textIn } from "./contract.ts";

export interface ChatService {
  /** Every failure rejects, with an error whose `retryable` says whether to offer a Retry. */
  sendMessageStream(
    conversation_id: number,
    user_message: string,
    language: string,
    difficulty_level: string,
    onToken: (token: string) => void,
    onComplete: (fullText: string, corrections?: any) => void,
  ): Promise<void>;
}

export function createChatService(options: ServiceOptions = {}): ChatService {
  const service = new Service(options);
  return {
    async sendMessageStream(
      conversation_id: number,
      user_message: string,
      language: string,
      difficulty_level: string,
      onToken: (token: string) => void,
      onComplete: (fullText: string, corrections?: any) => void,
    ): Promise<void> {
      await service.post("/chat/stream", { conversation_id, user_message, language, difficulty_level }, (data) => {
        if ("error" in data) throw failed(data["error"], data);
        const token = textIn(data["token"]);
        if (token !== "") onToken(token);
        if (data["done"] !== true) return;
        onComplete(textIn(data["full_text"]), data["corrections"]);
        return "last";
      });
    },
  };
}

export const chatService = createChatService();
