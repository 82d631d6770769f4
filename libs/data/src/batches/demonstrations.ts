import { renderChat, type RenderedChat, type Tokenizer } from "@stagecraft/tokenizer";
import type { Conversation } from "../types.js";

/** Tokenized conversations in two flat arrays. */
export interface Demonstrations {
  count: number;
  numTruncated: number;
  numDropped: number;
  /** Inputs of a conversation: its tokens without the last. */
  lengthOf(index: number): number;
  /** Ids, and 1 where the assistant wrote them. */
  get(index: number): { ids: Int32Array; mask: Uint8Array };
}

/**
 * Renders and tokenizes conversations, cut to `length + 1` tokens (the last is only a target) with
 * the last id forced to the end token. Those without a target are dropped and counted.
 */
export function encodeDemonstrations(
  conversations: readonly Conversation[],
  tokenizer: Tokenizer,
  length: number,
): Demonstrations {
  const chats: RenderedChat[] = [];
  let numTruncated = 0;
  let numDropped = 0;
  for (const { messages } of conversations) {
    const chat = renderChat(tokenizer, messages);
    const cut = chat.ids.length > length + 1;
    const kept = cut ? truncate(chat, length + 1, tokenizer.specials.eos) : chat;
    if (!kept.assistantMask.includes(1, 1)) numDropped++;
    else {
      chats.push(kept);
      if (cut) numTruncated++;
    }
  }
  return { ...flatten(chats), numTruncated, numDropped };
}

function truncate(chat: RenderedChat, length: number, eos: number | undefined): RenderedChat {
  const ids = chat.ids.slice(0, length);
  if (eos !== undefined) ids[length - 1] = eos;
  return { ids, assistantMask: chat.assistantMask.slice(0, length) };
}

function flatten(chats: readonly RenderedChat[]) {
  const starts = new Float64Array(chats.length + 1);
  chats.forEach(({ ids }, i) => (starts[i + 1] = starts[i]! + ids.length));
  const allIds = new Int32Array(starts[chats.length]!);
  const allMasks = new Uint8Array(starts[chats.length]!);
  chats.forEach(({ ids, assistantMask }, i) => {
    allIds.set(ids, starts[i]);
    allMasks.set(assistantMask, starts[i]);
  });
  return {
    count: chats.length,
    lengthOf: (index: number) => starts[index + 1]! - starts[index]! - 1,
    get: (index: number) => ({
      ids: allIds.subarray(starts[index], starts[index + 1]),
      mask: allMasks.subarray(starts[index], starts[index + 1]),
    }),
  };
}
