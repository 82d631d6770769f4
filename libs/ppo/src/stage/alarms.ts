import type { UpdateSignals } from "./signals.js";

/** Something that a person should look at, with what it means and what to try. */
export interface Alarm {
  code: string;
  message: string;
  advice: string;
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
  holds(signals: UpdateSignals, state: AlarmState): boolean;
  message(signals: UpdateSignals, state: AlarmState): string;
  advice: string;
}

const n = (value: number) => value.toPrecision(3);

/** The table of signals in rlhf.md, as rules. */
const RULES: readonly Rule[] = [
  {
    code: "negative-kl",
    lasting: 1,
    holds: ({ kl, klStdErr }) => kl < -3 * klStdErr && kl < -1e-3,
    message: ({ kl, klStdErr }) => `mean KL to the reference is ${n(kl)} ± ${n(klStdErr)}`,
    advice:
      "a KL cannot be negative: sampler and reference disagree (temperature, weights, tokenizer or end-of-answer cut)",
  },
  {
    code: "ratio-not-one",
    lasting: 1,
    holds: ({ firstRatioError }) => firstRatioError > 1e-3,
    message: ({ firstRatioError }) =>
      `the ratio of the first minibatch is off 1 by ${n(firstRatioError)}`,
    advice: "the trained policy is not the one that sampled: check that weights are delivered",
  },
  {
    code: "sampler-mismatch",
    lasting: 1,
    holds: ({ samplerLogProbError }) => samplerLogProbError > 1e-4,
    message: ({ samplerLogProbError }) =>
      `sampler and trainer log-probs differ by up to ${n(samplerLogProbError)}`,
    advice: "use oldLogProbs: trainer, or look for a difference in precision, cache or temperature",
  },
  {
    code: "clip-fraction",
    lasting: 3,
    holds: ({ clipFraction }) => clipFraction > 0.3,
    message: ({ clipFraction }) => `${n(100 * clipFraction)} % of tokens are clipped, lastingly`,
    advice: "updates are too large: lower learningRate or epochs",
  },
  {
    code: "approx-kl",
    lasting: 3,
    holds: ({ approxKl }) => approxKl > 0.1,
    message: ({ approxKl }) => `each update moves the policy by KL ${n(approxKl)} per token`,
    advice: "lower learningRate, or set targetKl to stop epochs early (.02 is usual)",
  },
  {
    code: "entropy-collapse",
    lasting: 2,
    holds: ({ entropy }, { first }) => first !== null && entropy < 0.25 * first.entropy,
    message: ({ entropy }, { first }) =>
      `entropy fell from ${n(first?.entropy ?? 0)} to ${n(entropy)} nats`,
    advice: "the policy is becoming deterministic: raise klCoef or entropyCoef, or stop earlier",
  },
  {
    code: "length-drift",
    lasting: 2,
    holds: ({ responseLength }, { first }) =>
      first !== null &&
      (responseLength > 2 * first.responseLength || responseLength < 0.5 * first.responseLength),
    message: ({ responseLength }, { first }) =>
      `answers went from ${n(first?.responseLength ?? 0)} to ${n(responseLength)} tokens`,
    advice: "the reward model may pay for length; look at accuracy by length in its report",
  },
  {
    code: "eos-rate",
    lasting: 2,
    holds: ({ eosRate }, { first }) => first !== null && eosRate < 0.5 * first.eosRate,
    message: ({ eosRate }) => `only ${n(100 * eosRate)} % of answers end by themselves`,
    advice: "raise the price of a missing end (missingEosValue) or maxNewTokens",
  },
  {
    code: "length-bias",
    lasting: 2,
    holds: ({ lengthCorrelation }) => Math.abs(lengthCorrelation) > 0.8,
    message: ({ lengthCorrelation }) => `score and length correlate by ${n(lengthCorrelation)}`,
    advice: "the reward model measures length: rank answers of equal length, or train it again",
  },
  {
    code: "critic",
    lasting: 20,
    holds: ({ explainedVariance }) => explainedVariance < 0,
    message: ({ explainedVariance }) => `the critic explains ${n(explainedVariance)} of returns`,
    advice: "raise criticLearningRate or criticWarmupUpdates",
  },
];

/**
 * The alarms that start to sound at this update, and the state for the next one. `gold` is the mean
 * gold score where one exists: falling gold under rising score is over-optimisation [G].
 */
export function checkAlarms(
  signals: UpdateSignals,
  state: AlarmState,
  gold?: number,
): { alarms: Alarm[]; state: AlarmState } {
  const streaks: Record<string, number> = {};
  const alarms: Alarm[] = [];
  for (const rule of RULES) {
    const streak = rule.holds(signals, state) ? (state.streaks[rule.code] ?? 0) + 1 : 0;
    streaks[rule.code] = streak;
    if (streak !== rule.lasting) continue;
    alarms.push({ code: rule.code, message: rule.message(signals, state), advice: rule.advice });
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
    advice:
      "the policy exploits the reward model: raise klCoef, or take the checkpoint before the fall",
  };
}
