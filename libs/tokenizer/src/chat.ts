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

/**
 * Ids of a conversation that somebody else rendered to text with this tokenizer's template: special
 * tokens are read where their names stand, the leftmost first, of several the longest. What the template
 * begins with is added where it is missing. For whole renderings only: nobody's words go in here unless
 * they may speak for any role.
 */
export function readRendered(tokenizer: Tokenizer, text: string): Int32Array {
  const ids = new IntBuffer();
  const add = (some: ArrayLike<number>) => {
    for (let i = 0; i < some.length; i++) ids.push(some[i]!);
  };
  const { pattern, byName } = specialNames(tokenizer);
  let done = 0;
  for (const match of pattern === undefined ? [] : text.matchAll(pattern)) {
    add(tokenizer.encode(text.slice(done, match.index)));
    ids.push(byName.get(match[0])!);
    done = match.index + match[0].length;
  }
  add(tokenizer.encode(text.slice(done)));
  const read = ids.toArray();
  const start = findChatFormat(tokenizer)?.start ?? [];
  if (start.every((id, i) => read[i] === id)) return read;
  return Int32Array.from([...start, ...read]);
}

interface SpecialNames {
  pattern: RegExp | undefined;
  byName: ReadonlyMap<string, number>;
}
const namesOf = new WeakMap<Tokenizer, SpecialNames>();

function specialNames(tokenizer: Tokenizer): SpecialNames {
  const known = namesOf.get(tokenizer);
  if (known) return known;
  const byName = new Map<string, number>();
  tokenizer.byteLengths.forEach((length, id) => {
    const name = length === 0 && tokenizer.hasToken(id) ? tokenizer.tokenOf(id) : "";
    if (name !== "") byName.set(name, id);
  });
  const longestFirst = [...byName.keys()].sort((a, b) => b.length - a.length);
  const escaped = longestFirst.map((name) => name.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
  const pattern = escaped.length === 0 ? undefined : new RegExp(escaped.join("|"), "gu");
  const names = { pattern, byName };
  namesOf.set(tokenizer, names);
  return names;
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
  if (format === undefined || ids.length === 0) return ids;
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
