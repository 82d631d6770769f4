import { chatFormatOf, checkedRole, findChatFormat } from "./chat-format.js";
import { IntBuffer } from "./int-buffer.js";
import type { Message, Tokenizer } from "./tokenizer.js";

export interface RenderedChat {
  ids: Int32Array;
  /**
   * 1 on every token that the assistant writes, its end token included; 0 elsewhere, and in answers of
   * weight 0. Same length.
   */
  assistantMask: Uint8Array;
}

export interface RenderChatOptions {
  /** End with the marker after which the assistant writes. Default false. */
  addGenerationPrompt?: boolean;
}

/**
 * A conversation as token ids: `<|bos|><|user|>Hi<|end|><|assistant|>Hello<|end|>`. Foreign
 * tokenizers with the special tokens of ChatML or Llama 3 are rendered in those formats. Special
 * strings inside a message stay ordinary text.
 * @throws `failed_precondition` when the tokenizer has no chat tokens, `invalid_argument` on an
 * unknown role
 */
export function renderChat(
  tokenizer: Tokenizer,
  messages: readonly Message[],
  options: RenderChatOptions = {},
): RenderedChat {
  const format = chatFormatOf(tokenizer);
  const ids = new IntBuffer();
  const mask: number[] = [];
  const add = (tokens: ArrayLike<number>, isAssistant: boolean) => {
    for (let i = 0; i < tokens.length; i++) {
      ids.push(tokens[i]!);
      mask.push(isAssistant ? 1 : 0);
    }
  };
  add(format.start, false);
  for (const { role, content, weight } of messages) {
    const isLearnt = role === "assistant" && weight !== 0;
    add(format.open(checkedRole(role)), false);
    add(tokenizer.encode(content), isLearnt);
    add([format.end], isLearnt);
    add(format.afterEnd, false);
  }
  if (options.addGenerationPrompt) add(format.open("assistant"), false);
  return { ids: ids.toArray(), assistantMask: Uint8Array.from(mask) };
}

/** True when `renderChat` can render for this tokenizer. */
export function hasChatFormat(tokenizer: Tokenizer): boolean {
  return findChatFormat(tokenizer) !== undefined;
}
