import type { Message } from "@stagecraft/tokenizer";

/** The turns so far; a question whose answer was stopped or failed leaves no trace. */
export interface Conversation {
  messages(): readonly Message[];
  /** Asks through `answer` with the whole history; keeps both turns when an answer comes. */
  ask(question: string, answer: (messages: readonly Message[]) => Promise<string>): Promise<string>;
  reset(): void;
}

/** Starts a conversation, with a system message if one is given. */
export function createConversation(system?: string): Conversation {
  const start: Message[] = system === undefined ? [] : [{ role: "system", content: system }];
  let messages = start;
  return {
    messages: () => messages,
    async ask(question, answer) {
      const asked: Message[] = [...messages, { role: "user", content: question }];
      const content = await answer(asked);
      messages = [...asked, { role: "assistant", content }];
      return content;
    },
    reset: () => void (messages = start),
  };
}
