import {
  isAnswerPenalty,
  isRepetitionPenalty,
  isTemperature,
  MAX_LOGIT_BIAS,
  REPETITION_PENALTY_RANGE,
  StagecraftError,
  TEMPERATURE_RANGE,
  type Random,
} from "@stagecraft/core";
import { argmax, softmaxWeights } from "./softmax-weights.js";
import { topCandidates } from "./top-candidates.js";
import type { TopToken } from "./top-tokens.js";

/** How to turn logits into a token, and when to stop. */
export interface SamplingParams {
  /** Logits are divided by it; 0 = always the most likely token. Default 1. */
  readonly temperature: number;
  /** Keep this many most likely tokens; 0 (default) = all. */
  readonly topK: number;
  /** Keep the smallest set of most likely tokens with this mass; 1 (default) = all. */
  readonly topP: number;
  /** Keep tokens at least this fraction as likely as the most likely one; 0 (default) = all. */
  readonly minP: number;
  /** Divides positive and multiplies negative logits of tokens seen before; 1 (default) = off. */
  readonly repetitionPenalty: number;
  /** At least 1; default 256. */
  readonly maxNewTokens: number;
  /** Texts that end the answer; they need a tokenizer. Default none. */
  readonly stop: readonly string[];
  readonly seed: number;
  /** Added to the logits of single tokens before everything else. Default none. */
  readonly logitBias: readonly TokenBias[];
  /** Taken from a token's logit for every time that the answer has it already. Default 0. */
  readonly frequencyPenalty: number;
  /** Taken from the logits of tokens that the answer has already. Default 0. */
  readonly presencePenalty: number;
}

/** What is added to the logit of one token. */
export interface TokenBias {
  readonly id: number;
  readonly bias: number;
}

export interface SampledToken {
  readonly id: number;
  /** log of its probability under softmax(logits / temperature), before any filter. */
  readonly logProb: number;
  /** The likeliest tokens in its place, where they were asked for. */
  readonly top?: readonly TopToken[];
}

const DEFAULTS: SamplingParams = {
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  maxNewTokens: 256,
  stop: [],
  seed: 0,
  logitBias: [],
  frequencyPenalty: 0,
  presencePenalty: 0,
};

/** Fills in defaults; throws `invalid_argument` that lists every field out of range. */
export function resolveSampling(params: Partial<SamplingParams>): SamplingParams {
  const resolved = { ...DEFAULTS, ...params };
  const { temperature, topK, topP, minP, repetitionPenalty, maxNewTokens, stop } = resolved;
  const { logitBias, frequencyPenalty, presencePenalty } = resolved;
  const rules: [string, unknown, boolean, string][] = [
    ["temperature", temperature, isTemperature(temperature), TEMPERATURE_RANGE],
    ["topK", topK, Number.isInteger(topK) && topK >= 0, "an integer ≥ 0"],
    ["topP", topP, topP > 0 && topP <= 1, "above 0 and at most 1"],
    ["minP", minP, minP >= 0 && minP <= 1, "from 0 to 1"],
    [
      "repetitionPenalty",
      repetitionPenalty,
      isRepetitionPenalty(repetitionPenalty),
      REPETITION_PENALTY_RANGE,
    ],
    ["maxNewTokens", maxNewTokens, Number.isInteger(maxNewTokens) && maxNewTokens >= 1, "≥ 1"],
    [
      "logitBias",
      "a bias out of range",
      logitBias.every(({ id, bias }) => Number.isInteger(id) && Math.abs(bias) <= MAX_LOGIT_BIAS),
      `from ${-MAX_LOGIT_BIAS} to ${MAX_LOGIT_BIAS}, of token ids`,
    ],
    ["frequencyPenalty", frequencyPenalty, isAnswerPenalty(frequencyPenalty), "from -2 to 2"],
    ["presencePenalty", presencePenalty, isAnswerPenalty(presencePenalty), "from -2 to 2"],
    ["stop", stop, stop.every((text) => text.length > 0), "texts that are not empty"],
  ];
  const problems = rules.flatMap(([field, value, holds, expected]) =>
    holds ? [] : [`${field} must be ${expected}, got ${String(value)}`],
  );
  if (problems.length === 0) return resolved;
  throw new StagecraftError("invalid_argument", `sampling: ${problems.join("; ")}`, {
    details: { problems },
  });
}

/** True when nothing but the temperature shapes the distribution, as in all training rollouts. */
export function isPlain({ topK, topP, minP, repetitionPenalty }: SamplingParams): boolean {
  return topK === 0 && topP === 1 && minP === 0 && repetitionPenalty === 1;
}

/** True when single logits are changed by more than the repetition penalty. */
export function shapesLogits(params: SamplingParams): boolean {
  const { logitBias, frequencyPenalty, presencePenalty } = params;
  return logitBias.length > 0 || frequencyPenalty !== 0 || presencePenalty !== 0;
}

/** What limits a choice beside the sampling parameters. */
export interface ChoiceLimits {
  /** The ids so far, prompt included, for the repetition penalty. */
  readonly history?: Iterable<number>;
  /** Ids that are never drawn, since they stand for no token. */
  readonly tokenless?: Int32Array | undefined;
  /** The ids of the answer so far, for the penalties that look at it alone. */
  readonly answer?: Iterable<number>;
}

/**
 * Draws one token from `logits` [V]; pure but for one draw of `random` (none when greedy). With
 * filters the order is that of transformers behind the bias: penalties, temperature, top-k, top-p, min-p. The log-prob
 * is that of the temperature-only softmax over all of V [reference 10], as training computes it; with
 * temperature 0 that of temperature 1.
 * Throws `internal` when no logit is finite: the weights have diverged.
 */
export function sampleToken(
  logits: Float32Array,
  params: SamplingParams,
  random: Random,
  limits: ChoiceLimits = {},
): SampledToken {
  const temperature = params.temperature || 1;
  const { sum, max } = softmaxWeights(logits, temperature, scratch);
  const id = choose(logits, { params, random, limits, sum });
  return { id, logProb: (logits[id]! - max) / temperature - Math.log(sum) };
}

/** One vocabulary of weights, so that sampling allocates nothing; calls cannot overlap. */
const scratch = { values: new Float64Array(0) };

interface Choice {
  readonly params: SamplingParams;
  readonly random: Random;
  readonly limits: ChoiceLimits;
  /** Of the weights that `scratch` holds already, those without penalty and limits. */
  readonly sum: number;
}

function choose(logits: Float32Array, choice: Choice): number {
  const { params, random } = choice;
  const { temperature, topK, topP, minP } = params;
  const adjusted = adjust(logits, params, choice.limits);
  if (temperature === 0) return argmax(adjusted ?? logits);
  const sum = adjusted ? softmaxWeights(adjusted, temperature, scratch).sum : choice.sum;
  if (topK === 0 && topP === 1 && minP === 0) return draw(scratch.values, sum, random);
  const ids = topCandidates(scratch.values, { topK, topP, minP });
  const kept = new Float64Array(ids.length);
  let mass = 0;
  for (let i = 0; i < ids.length; i++) mass += kept[i] = scratch.values[ids[i]!]!;
  return ids[draw(kept, mass, random)]!;
}

/** Undefined when nothing changes. */
function adjust(
  logits: Float32Array,
  params: SamplingParams,
  { history = [], tokenless, answer = [] }: ChoiceLimits,
): Float32Array | undefined {
  const { repetitionPenalty: penalty, frequencyPenalty, presencePenalty } = params;
  const shaped = shapesLogits(params);
  if (penalty === 1 && !shaped && !tokenless) return undefined;
  const adjusted = logits.slice();
  for (const { id, bias } of params.logitBias) adjusted[id]! += bias;
  if (shaped) {
    for (const id of answer) adjusted[id]! -= frequencyPenalty;
    for (const id of new Set(answer)) adjusted[id]! -= presencePenalty;
  }
  for (const id of penalty === 1 ? [] : new Set(history)) {
    const logit = adjusted[id]!;
    adjusted[id] = logit > 0 ? logit / penalty : logit * penalty;
  }
  for (const id of tokenless ?? []) adjusted[id] = -Infinity;
  return adjusted;
}

/** An index with probability proportional to its weight. */
function draw(weights: Float64Array, sum: number, random: Random): number {
  let rest = random.nextFloat() * sum;
  let last = 0;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i]!;
    if (weight === 0) continue;
    last = i;
    rest -= weight;
    if (rest < 0) return i;
  }
  return last; // rounding left a crumb
}
