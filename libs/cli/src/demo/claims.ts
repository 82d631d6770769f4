import type { Evaluation } from "@stagecraft/eval";
import type { Bar } from "../checks/bars.js";
import type { PresetName } from "./presets.js";
import type { StageRecord } from "@stagecraft/pipeline";
import type { MetricsRecord } from "@stagecraft/report";

export interface ClaimInputs {
  stages: ReadonlyMap<string, StageRecord>;
  evaluation: Evaluation;
  /** metrics.jsonl of the PPO stage. */
  ppo: readonly MetricsRecord[];
}

/**
 * What the demo has to show, as bars: SFT answers far better than the base model, the reward model is
 * close to the best the labelers' noise allows, PPO raises the reward and with it the gold score, without
 * collapsing. The tiny preset asks for the directions only, and not for who wins: on its 84 held-out prompts
 * the win rate is known to ± .11, the gold score to ± .05, and its reward model orders 7 of 10 pairs.
 * A name says what is measured and no direction ("above … by"): the bound may ask for less than that.
 */
export function demoClaims(preset: PresetName, { stages, evaluation, ppo }: ClaimInputs): Bar[] {
  const reward = stages.get("reward")?.result.metrics ?? {};
  const labelers = stages.get("labelers")?.result.metrics ?? {};
  const of = (name: string) => evaluation.models.find(({ model }) => model === name);
  const exact = (name: string) => of(name)?.exact.overall.rate ?? NaN;
  const gold = (name: string) => of(name)?.scores["gold"]?.overall ?? NaN;
  const length = (name: string) => of(name)?.meanTokens ?? NaN;
  const win = evaluation.winRates.find(
    ({ model, against, scorer }) => model === "ppo" && against === "sft" && scorer === "gold",
  );
  const limits = preset === "tiny" ? TINY_LIMITS : DEFAULT_LIMITS;
  const updates = ppo.filter((record) => record["kind"] === "update");
  const series = (name: string) => updates.map((record) => Number(record[name] ?? NaN));
  const heldOut = ppo
    .filter((record) => record["kind"] === "eval")
    .map((record) => Number(record["evalScore"] ?? NaN));
  return [
    {
      name: "SFT exact match on held-out prompts",
      value: exact("sft"),
      atLeast: limits.sftExact,
    },
    {
      name: "SFT exact match minus the base model's",
      value: exact("sft") - exact("base"),
      atLeast: limits.sftGain,
    },
    {
      name: "best possible pair accuracy minus the reward model's",
      value: (labelers["bestAccuracy"] ?? NaN) - (reward["accuracy"] ?? NaN),
      atMost: limits.rewardGap,
    },
    {
      name: "reward of held-out answers, PPO's last evaluation minus its first",
      value: (heldOut.at(-1) ?? NaN) - (heldOut[0] ?? NaN),
      atLeast: limits.rewardGain,
    },
    {
      name: "PPO gold score minus SFT's",
      value: gold("ppo") - gold("sft"),
      atLeast: limits.goldGain,
    },
    ...(limits.winRate === undefined
      ? []
      : [
          {
            name: "PPO win rate against SFT",
            value: win?.winRate.rate ?? NaN,
            atLeast: limits.winRate,
          },
        ]),
    {
      name: "largest KL to the SFT model (nats per answer)",
      value: Math.max(...series("kl")),
      atMost: limits.maxKl,
    },
    {
      name: "answer length, PPO over SFT",
      value: length("ppo") / length("sft"),
      atLeast: 0.5,
      atMost: 2,
    },
    {
      name: "entropy, last PPO update over the first",
      value: (series("entropy").at(-1) ?? NaN) / (series("entropy")[0] ?? NaN),
      atLeast: 0.1,
    },
  ];
}

interface Limits {
  sftExact: number;
  sftGain: number;
  rewardGap: number;
  rewardGain: number;
  goldGain: number;
  winRate: number | undefined;
  maxKl: number;
}

/** Of the default preset. */
export const DEFAULT_LIMITS: Limits = {
  sftExact: 0.85,
  sftGain: 0.5,
  rewardGap: 0.03,
  rewardGain: 0.3,
  goldGain: 0.02,
  winRate: 0.65,
  maxKl: 20,
};

const TINY_LIMITS: Limits = {
  sftExact: 0.1,
  sftGain: 0.1,
  rewardGap: 0.25,
  rewardGain: 0.1,
  goldGain: -0.05,
  winRate: undefined,
  maxKl: 40,
};
