import { namingRecord, type Ranking } from "@stagecraft/data";
import type { Model } from "@stagecraft/model";
import { tf } from "@stagecraft/tensor";
import { renderChat, type Message, type Tokenizer } from "@stagecraft/tokenizer";
import { layoutForScores } from "../reward/reward-batch.js";
import { fitAnswers, type FittedAnswers } from "../reward/fit-answers.js";
import type { RankedPair } from "../reward/ranking-loss.js";

/** One ranked prompt, tokenized for a language model. */
export interface DpoItem {
  /** K sequences: the conversation, the answer and its end token. */
  sequences: Int32Array[];
  /** Tokens at the end of each sequence that are the answer, its end token included. */
  answerLengths: number[];
  /** 1 = best, equal = tie. */
  ranks: number[];
  /** The pairs that are learnt from; default all strictly ordered ones. */
  pairs?: readonly RankedPair[];
  /** log π_ref of each answer; the reference never changes, so it is computed once. */
  refLogProbs: number[];
}

export interface DpoItemOptions {
  tokenizer: Tokenizer;
  /** Longer sequences lose their beginning. */
  maxLength: number;
}

/** A ranking as token sequences; the reference's log-probs are still to be filled in. */
export function toDpoItem(
  ranking: Ranking,
  { tokenizer, maxLength }: DpoItemOptions,
): DpoItem & FittedAnswers {
  const { prompt, answers, ranks } = ranking;
  const whole = namingRecord("ranking", ranking, () =>
    answers.map((answer) => answered(tokenizer, prompt, answer)),
  );
  return {
    ...fitAnswers(
      whole.map(({ ids }) => ids),
      ranks,
      maxLength,
    ),
    // The first token of what is kept has nothing before it to be predicted from.
    answerLengths: whole.map(({ ids, start }) => Math.min(ids.length - start, maxLength - 1)),
    ranks: [...ranks],
    refLogProbs: answers.map(() => 0),
  };
}

/**
 * The conversation up to the end of its answer, and where that starts: the tokens that SFT learns. An
 * empty answer that no token ends has none.
 */
function answered(tokenizer: Tokenizer, prompt: readonly Message[], content: string) {
  const earlier = prompt.map((message) => ({ ...message, weight: 0 as const }));
  const conversation: Message[] = [...earlier, { role: "assistant", content }];
  const { ids, assistantMask } = renderChat(tokenizer, conversation);
  const start = assistantMask.indexOf(1);
  if (start < 0) return { ids, start: ids.length };
  return { ids: ids.subarray(0, assistantMask.lastIndexOf(1) + 1), start };
}

/**
 * log π of each answer, summed over its tokens, differentiable; [Σ K] in the order of items and
 * answers, zeros behind them where the engine likes another size. Tokens of the prompt are no targets: nothing is learnt from them.
 */
export function answerLogProbs(
  model: Model,
  items: readonly Pick<DpoItem, "sequences" | "answerLengths">[],
): tf.Tensor1D {
  return tf.tidy(() => {
    const sequences = items.flatMap((item) => item.sequences);
    const answerLengths = items.flatMap((item) => item.answerLengths);
    const layout = layoutForScores(sequences);
    const size = layout.ids.length;
    const targets = new Int32Array(size).fill(-1);
    const numRows = layout.lastIndex.length;
    const membership = new Float32Array(numRows * size);
    answerLengths.forEach((answerLength, i) => {
      const last = layout.lastIndex[i]!;
      for (let at = last - answerLength; at < last; at++) {
        targets[at] = layout.ids[at + 1]!;
        membership[i * size + at] = 1;
      }
    });
    const { logProbs } = model.logProbs({ ...layout, targets }); // [N]
    const rows = tf.tensor2d(membership, [numRows, size]);
    return tf.reshape(tf.matMul(rows, tf.reshape(logProbs, [size, 1])), [numRows]);
  });
}

/** `answerLogProbs` without a gradient, in passes of some 8192 tokens, prompts kept whole. */
export function measureLogProbs(
  model: Model,
  items: readonly DpoItem[],
  maxTokens = 8192,
): number[][] {
  const measured: number[][] = [];
  for (let start = 0; start < items.length;) {
    let end = start;
    let tokens = 0;
    do tokens += numTokensOf(items[end++]!);
    while (end < items.length && tokens + numTokensOf(items[end]!) <= maxTokens);
    const chunk = items.slice(start, end);
    const values = tf.tidy(() => answerLogProbs(model, chunk).dataSync());
    let offset = 0;
    for (const { ranks } of chunk) {
      measured.push(Array.from(values.slice(offset, (offset += ranks.length))));
    }
    start = end;
  }
  return measured;
}

/** Tokens that the model reads for one prompt. */
export function numTokensOf({ sequences }: Pick<DpoItem, "sequences">): number {
  return sequences.reduce((sum, ids) => sum + ids.length, 0);
}
