import { StagecraftError } from "@stagecraft/core";
import { renderChat, type RenderedChat, type Tokenizer } from "@stagecraft/tokenizer";
import { nameRecord, namingRecord } from "../origin.js";
import type { Conversation } from "../types.js";

/** What becomes of a conversation with more tokens than a row: its end is cut, it is left out, or refused. */
export type Overlong = "cut" | "drop" | "error";

/** Tokenized conversations in two flat arrays. */
export interface Demonstrations {
  count: number;
  /** Cut to the length, and still with something to learn. */
  numCut: number;
  /** Left out for their length. */
  numTooLong: number;
  /** Left out because nothing of the assistant's was within the length. */
  numWithoutTarget: number;
  /** Inputs of a conversation: its tokens without the last. */
  lengthOf(index: number): number;
  /** Ids, and 1 where the assistant wrote them. */
  get(index: number): { ids: Int32Array; mask: Uint8Array };
}

/**
 * Renders and tokenizes conversations of at most `length + 1` tokens (the last is only a target). A cut
 * one keeps its beginning and gets no end: nobody wrote one there.
 * @throws `invalid_argument` for the first that is longer, with `overlong: "error"`
 */
export function encodeDemonstrations(
  conversations: readonly Conversation[],
  tokenizer: Tokenizer,
  { length, overlong }: { length: number; overlong: Overlong },
): Demonstrations {
  const chats: Encoded[] = [];
  const counts = { numCut: 0, numTooLong: 0, numWithoutTarget: 0 };
  for (const conversation of conversations) {
    const chat = namingRecord("demonstration", conversation, (): Encoded => {
      const { ids, assistantMask } = renderChat(tokenizer, conversation.messages);
      return { ids, assistantMask };
    });
    const isLong = chat.ids.length > length + 1;
    if (isLong && overlong === "error") throw tooLong(conversation, chat.ids.length, length);
    const kept = isLong ? firstTokens(chat, length + 1) : chat;
    if (isLong && overlong === "drop") counts.numTooLong++;
    else if (!kept.assistantMask.includes(1, 1)) counts.numWithoutTarget++;
    else {
      chats.push(kept);
      if (isLong) counts.numCut++;
    }
  }
  return { ...flatten(chats), ...counts };
}

type Encoded = Pick<RenderedChat, "ids" | "assistantMask">;

function firstTokens({ ids, assistantMask }: Encoded, count: number): Encoded {
  return { ids: ids.slice(0, count), assistantMask: assistantMask.slice(0, count) };
}

function tooLong(conversation: Conversation, numTokens: number, length: number): StagecraftError {
  const name = nameRecord("demonstration", conversation);
  return new StagecraftError(
    "invalid_argument",
    `${name} has ${numTokens} tokens, a sequence ${length}; shorten it, raise contextLength, or let ` +
      `overlong be "cut" or "drop"`,
    { details: { numTokens, length } },
  );
}

function flatten(chats: readonly Encoded[]) {
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
