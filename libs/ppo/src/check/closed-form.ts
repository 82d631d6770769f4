/**
 * PPO against its closed form: the optimum of E[r] − β·KL(π‖π_ref) is π* ∝ π_ref·e^(r/β), with value
 * J* = β·log E_ref e^(r/β). With 4 tokens and answers of 4 tokens, all 256 answers can be listed, so
 * J of any policy is exact and sampling needs no generator of text.
 */
import type { Model } from "@stagecraft/model";
import { tf } from "@stagecraft/tensor";

/** The reward of a whole answer. */
export type AnswerReward = (answer: ArrayLike<number>) => number;

export interface EnumerableTask {
  vocabSize: number;
  length: number;
  reward: AnswerReward;
}

/** The enumerable example: how many tokens are 1, plus 1 when 2 is ever followed by 3. */
export const COUNT_ONES_TASK: EnumerableTask = {
  vocabSize: 4,
  length: 4,
  reward(answer) {
    let reward = 0;
    for (let t = 0; t < answer.length; t++) if (answer[t] === 1) reward++;
    for (let t = 0; t + 1 < answer.length; t++) {
      if (answer[t] === 2 && answer[t + 1] === 3) return reward + 1;
    }
    return reward;
  },
};

/** The prompt of every answer: one start token, id `vocabSize` − 1 of the model is never needed. */
export const START_ID = 0;

/** All answers in lexical order, [vocabSize^length][length]. */
export function allAnswers({ vocabSize, length }: EnumerableTask): Int32Array[] {
  return Array.from({ length: vocabSize ** length }, (_, index) =>
    Int32Array.from(
      { length },
      (_, t) => Math.floor(index / vocabSize ** (length - 1 - t)) % vocabSize,
    ),
  );
}

/** Conditional log-probs of the model along every answer: [answers × length × vocabSize], float32. */
export function conditionalLogProbs(model: Model, task: EnumerableTask): Float32Array {
  const answers = allAnswers(task);
  const ids = new Int32Array(answers.length * task.length);
  answers.forEach((answer, a) => {
    ids[a * task.length] = START_ID;
    ids.set(answer.subarray(0, task.length - 1), a * task.length + 1);
  });
  return tf.tidy(() =>
    tf.logSoftmax(model.logits({ ids, batchSize: answers.length, length: task.length })).dataSync(),
  ) as Float32Array;
}

/** log π of every answer. */
export function answerLogProbs(conditionals: Float32Array, task: EnumerableTask): Float64Array {
  const { length, vocabSize } = task;
  return Float64Array.from(allAnswers(task), (answer, a) =>
    answer.reduce((sum, id, t) => sum + conditionals[(a * length + t) * vocabSize + id]!, 0),
  );
}

export interface ExactValues {
  /** E[r] − β·KL. */
  objective: number;
  reward: number;
  kl: number;
}

/** J, E[r] and KL of a policy, by summing over all answers. */
export function exactValues(
  logProbs: Float64Array,
  refLogProbs: Float64Array,
  { task, beta }: { task: EnumerableTask; beta: number },
): ExactValues {
  let reward = 0;
  let kl = 0;
  allAnswers(task).forEach((answer, a) => {
    const probability = Math.exp(logProbs[a]!);
    reward += probability * task.reward(answer);
    kl += probability * (logProbs[a]! - refLogProbs[a]!);
  });
  return { objective: reward - beta * kl, reward, kl };
}

/** J* = β·log E_ref e^(r/β), with the reward and KL of π*. */
export function closedFormOptimum(
  refLogProbs: Float64Array,
  { task, beta }: { task: EnumerableTask; beta: number },
): ExactValues {
  const unnormalised = Float64Array.from(
    allAnswers(task),
    (answer, a) => refLogProbs[a]! + task.reward(answer) / beta,
  );
  const max = unnormalised.reduce((a, b) => Math.max(a, b));
  const logZ = max + Math.log(unnormalised.reduce((sum, value) => sum + Math.exp(value - max), 0));
  const optimal = unnormalised.map((value) => value - logZ);
  return { ...exactValues(optimal, refLogProbs, { task, beta }), objective: beta * logZ };
}
