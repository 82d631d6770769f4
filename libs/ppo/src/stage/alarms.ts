import type { UpdateSignals } from "./signals.js";

/** Something that a person should look at. */
export interface Alarm {
  code: string;
  /** What was seen, with its figures. */
  message: string;
  /** What it means. */
  meaning: string;
  /** What to try. */
  advice: string;
}

/** What the rules look at beside the signals. */
export interface AlarmContext {
  /** Mean gold score where one exists; falling gold under rising score is over-optimisation [G]. */
  gold?: number | undefined;
  /** η of the run; default 0. */
  maxStaleness?: number;
  /** False where answers have a fixed length and no end token; default true. */
  canEnd?: boolean;
}

/** What alarms remember between updates; plain JSON, part of the checkpoint. */
export interface AlarmState {
  /** Signals of the first update. */
  first: { entropy: number; responseLength: number; eosRate: number; score: number } | null;
  /** Consecutive updates in which a lasting condition held. */
  streaks: Record<string, number>;
  /** Gold score at its best so far, and the proxy score there. */
  bestGold: { gold: number; score: number } | null;
}

export function initialAlarmState(): AlarmState {
  return { first: null, streaks: {}, bestGold: null };
}

interface Rule {
  code: string;
  /** Updates in a row before it sounds; it sounds once per streak. */
  lasting: number;
  holds(signals: UpdateSignals, state: AlarmState, context: AlarmContext): boolean;
  message(signals: UpdateSignals, state: AlarmState): string;
  meaning: string;
  advice: string;
}

const n = (value: number) => value.toPrecision(3);

/** The signals of docs/algorithms/reference.md, as rules. */
const RULES: readonly Rule[] = [
  {
    code: "negative-kl",
    lasting: 1,
    holds: ({ kl, klStdErr }) => kl < -3 * klStdErr && kl < -1e-3,
    message: ({ kl, klStdErr }) => `mean KL to the reference is ${n(kl)} ± ${n(klStdErr)}`,
    meaning: "a KL cannot be negative: sampler and reference do not see the same text or weights",
    advice: "compare temperature, weights, tokenizer and end-of-answer cut of sampler and trainer",
  },
  {
    code: "ratio-not-one",
    lasting: 1,
    holds: ({ firstRatioError }) => firstRatioError > 1e-3,
    message: ({ firstRatioError }) =>
      `the ratio of the first minibatch is off 1 by ${n(firstRatioError)}`,
    meaning:
      "the policy that learns is not the one that sampled, so the clip guards the wrong place",
    advice: "check that weights are delivered, and that dropout and padding are the same in both",
  },
  {
    code: "sampler-mismatch",
    lasting: 1,
    holds: ({ samplerLogProbError }) => samplerLogProbError > 1e-4,
    message: ({ samplerLogProbError }) =>
      `sampler and trainer log-probs differ by up to ${n(samplerLogProbError)}`,
    meaning: "sampler and trainer compute different probabilities from the same weights",
    advice: "use oldLogProbs: trainer, or look for a difference in precision, cache or temperature",
  },
  {
    code: "clip-fraction",
    lasting: 3,
    holds: ({ clipFraction }) => clipFraction > 0.3,
    message: ({ clipFraction }) => `${n(100 * clipFraction)} % of tokens are clipped, lastingly`,
    meaning: "updates leave the region in which the surrogate can be trusted",
    advice: "lower learningRate or epochs",
  },
  {
    code: "approx-kl",
    lasting: 3,
    holds: ({ approxKl }) => approxKl > 0.1,
    message: ({ approxKl }) => `each update moves the policy by KL ${n(approxKl)} per token`,
    meaning: "the policy changes more per update than its answers can tell",
    advice: "lower learningRate, or set targetKl to stop epochs early (.02 is usual)",
  },
  {
    code: "entropy-collapse",
    lasting: 2,
    holds: ({ entropy }, { first }) => first !== null && entropy < 0.25 * first.entropy,
    message: ({ entropy }, { first }) =>
      `entropy fell from ${n(first?.entropy ?? 0)} to ${n(entropy)} nats`,
    meaning:
      "the policy is becoming deterministic and stops finding better answers; with rising reward and length it is reward hacking",
    advice: "raise klCoef or entropyCoef, or stop earlier",
  },
  {
    code: "length-drift",
    lasting: 2,
    holds: ({ responseLength }, { first }) =>
      first !== null &&
      (responseLength > 2 * first.responseLength || responseLength < 0.5 * first.responseLength),
    message: ({ responseLength }, { first }) =>
      `answers went from ${n(first?.responseLength ?? 0)} to ${n(responseLength)} tokens`,
    meaning: "the reward may pay for length, or for brevity, instead of quality",
    advice: "look at accuracy by length in the reward model's report; weigh length in scoreWeights",
  },
  {
    code: "no-end",
    lasting: 1,
    holds: ({ eosRate }, _, { canEnd = true }) => canEnd && eosRate === 0,
    message: () => "no answer ended by itself",
    meaning:
      "every answer ran into the length limit and was cut: the policy was never taught to end, ends with a token that the tokenizer does not know as an end, or has no room to",
    advice:
      "raise maxNewTokens; look at answers of the start model, and whether eos_token_id in its config.json has the token that ends them",
  },
  {
    code: "eos-rate",
    lasting: 2,
    holds: ({ eosRate }, { first }) =>
      first !== null && eosRate > 0 && eosRate < 0.5 * first.eosRate,
    message: ({ eosRate }) => `only ${n(100 * eosRate)} % of answers end by themselves`,
    meaning: "answers run into the length limit and are cut",
    advice: "raise the price of a missing end (missingEosValue) or maxNewTokens",
  },
  {
    code: "length-bias",
    lasting: 2,
    holds: ({ lengthCorrelation: r }) => r !== undefined && Math.abs(r) > 0.8,
    message: ({ lengthCorrelation: r }) => `score and length correlate by ${n(r ?? 0)}`,
    meaning: "the reward model measures little but length",
    advice: "rank answers of equal length, or train the reward model again",
  },
  {
    code: "critic",
    lasting: 20,
    holds: ({ explainedVariance: share }) => share !== undefined && share < 0,
    message: ({ explainedVariance: share }) => `the critic explains ${n(share ?? 0)} of returns`,
    meaning: "the critic is worse than a constant, so advantages are mostly noise",
    advice: "raise criticLearningRate or criticWarmupUpdates",
  },
  {
    code: "stale-weights",
    lasting: 10,
    holds: ({ staleness }, _, { maxStaleness = 0 }) =>
      maxStaleness > 0 && staleness >= maxStaleness,
    message: ({ staleness }) => `every token is ${n(staleness)} updates old when it is learnt from`,
    meaning:
      "sampling is always as far ahead as it may be: it waits for training, or loads no weights",
    advice: "lower maxStaleness, which costs no speed then; else check that samplers load weights",
  },
  {
    code: "off-policy",
    lasting: 3,
    holds: ({ maxImportance }) => maxImportance > 10,
    message: ({ maxImportance }) =>
      `a token is ${n(maxImportance)} times as likely as when sampled`,
    meaning: "the policy moves far while answers are in flight, so a few tokens outweigh the rest",
    advice: "lower maxStaleness or learningRate, or set importanceCap",
  },
];

/** The alarms that start to sound at this update, and the state for the next one. */
export function checkAlarms(
  signals: UpdateSignals,
  state: AlarmState,
  context: AlarmContext = {},
): { alarms: Alarm[]; state: AlarmState } {
  const { gold } = context;
  const streaks: Record<string, number> = {};
  const alarms: Alarm[] = [];
  for (const rule of RULES) {
    const streak = rule.holds(signals, state, context) ? (state.streaks[rule.code] ?? 0) + 1 : 0;
    streaks[rule.code] = streak;
    if (streak !== rule.lasting) continue;
    const { code, meaning, advice } = rule;
    alarms.push({ code, message: rule.message(signals, state), meaning, advice });
  }
  const goldRule = checkGold(signals.score, state, gold);
  const goldStreak = goldRule.diverging ? (state.streaks["gold-divergence"] ?? 0) + 1 : 0;
  streaks["gold-divergence"] = goldStreak;
  if (goldStreak === GOLD_LASTING) alarms.push(goldAlarm(state, gold!));
  const { entropy, responseLength, eosRate, score } = signals;
  const first = state.first ?? { entropy, responseLength, eosRate, score };
  return { alarms, state: { first, streaks, bestGold: goldRule.bestGold } };
}

const GOLD_LASTING = 3;
const GOLD_FALL = 0.1;

function checkGold(score: number, { bestGold }: AlarmState, gold: number | undefined) {
  if (gold === undefined) return { diverging: false, bestGold };
  if (!bestGold || gold > bestGold.gold) {
    return { diverging: false, bestGold: { gold, score } };
  }
  const fell = bestGold.gold - gold > GOLD_FALL * Math.max(Math.abs(bestGold.gold), 1e-6);
  return { diverging: fell && score > bestGold.score, bestGold };
}

function goldAlarm({ bestGold }: AlarmState, gold: number): Alarm {
  return {
    code: "gold-divergence",
    message: `gold score fell from ${n(bestGold?.gold ?? 0)} to ${n(gold)} while the reward model's rose`,
    meaning: "the policy exploits the reward model: what is learnt is no longer what is wanted",
    advice: "raise klCoef, add to the reward model's data, or take the checkpoint before the fall",
  };
}

/** The alarm of answers that were refused for their weights; the run stops there. */
export function staleWeightsAlarm(problem: string): Alarm {
  return {
    code: "stale-weights",
    message: problem,
    meaning: "a sampler answers with weights that this run did not give it or has left behind",
    advice: "look at the sampler's log for weights it could not load, and for a second trainer",
  };
}
