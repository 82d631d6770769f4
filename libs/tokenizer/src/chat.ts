import { chatFormatOf, findChatFormat } from "./chat-format.js";
import type { RenderChatOptions, RenderedChat } from "./chat-types.js";
import type { Message, Tokenizer } from "./tokenizer.js";

export type { RenderChatOptions, RenderedChat } from "./chat-types.js";

/**
 * A conversation as token ids: as the chat template beside the tokenizer says, or with our own chat tokens
 * (`<|bos|><|user|>Hi<|end|><|assistant|>Hello<|end|>`). Special strings inside a message stay ordinary
 * text.
 * @throws `failed_precondition` when the tokenizer has neither, `invalid_argument` on a conversation that
 * the template refuses
 */
export function renderChat(
  tokenizer: Tokenizer,
  messages: readonly Message[],
  options: RenderChatOptions = {},
): RenderedChat {
  return chatFormatOf(tokenizer).render(messages, options);
}

/**
 * Ids of a conversation that somebody else rendered to text with this tokenizer's template: special
 * tokens are read where their names stand, the leftmost first, of several the longest. What the template
 * begins with is added where it is missing. For whole renderings only: nobody's words go in here unless
 * they may speak for any role.
 */
export function readRendered(tokenizer: Tokenizer, text: string): Int32Array {
  const read = tokenizer.encodeWithSpecials(text);
  const start = findChatFormat(tokenizer)?.start ?? [];
  if (start.every((id, i) => read[i] === id)) return read;
  return Int32Array.from([...start, ...read]);
}

/** True when `renderChat` can render for this tokenizer. */
export function hasChatFormat(tokenizer: Tokenizer): boolean {
  return findChatFormat(tokenizer) !== undefined;
}

/**
 * What a reward model reads of a conversation; its score is that of the last token, the one that ends
 * the last turn. This and `scoredPart` are the one place that says where a conversation is scored:
 * training, evaluation, the service and PPO all use them.
 */
export function renderScored(tokenizer: Tokenizer, messages: readonly Message[]): Int32Array {
  return scoredPart(tokenizer, renderChat(tokenizer, messages).ids);
}

/**
 * The same of tokens that somebody else rendered or sampled: what a template puts behind the last
 * turn's end is left out, and an answer that ended with another of the end tokens counts as ended by
 * that one. An answer that did not end stays as it is.
 */
export function scoredPart(tokenizer: Tokenizer, ids: Int32Array): Int32Array {
  const format = findChatFormat(tokenizer);
  if (format?.end === undefined || ids.length === 0) return ids;
  const { end, afterEnd } = format;
  const last = ids.length - 1 - afterEnd.length;
  if (ids[last] === end && endsWith(ids, afterEnd)) return ids.subarray(0, last + 1);
  if (ids.at(-1) === end || !tokenizer.endIds.includes(ids.at(-1)!)) return ids;
  const ended = ids.slice();
  ended[ids.length - 1] = end;
  return ended;
}

function endsWith(ids: Int32Array, tail: ArrayLike<number>): boolean {
  const start = ids.length - tail.length;
  return Array.from(tail).every((id, i) => ids[start + i] === id);
}
