import type { Evaluation } from "@stagecraft/eval";
import type { Bar } from "../checks/bars.js";
import type { PresetName } from "./presets.js";
import type { StageRecord } from "../pipeline/pipeline-state.js";
import type { MetricsRecord } from "../report/metrics-file.js";

export interface ClaimInputs {
  stages: ReadonlyMap<string, StageRecord>;
  evaluation: Evaluation;
  /** metrics.jsonl of the PPO stage. */
  ppo: readonly MetricsRecord[];
}

/**
 * What the demo has to show, as bars: SFT answers far better than the base model, the reward model is
 * close to the best the raters' noise allows, PPO raises the gold score without collapsing. The tiny
 * preset asks for the directions only.
 */
export function demoClaims(preset: PresetName, { stages, evaluation, ppo }: ClaimInputs): Bar[] {
  const reward = stages.get("reward")?.result.metrics ?? {};
  const raters = stages.get("raters")?.result.metrics ?? {};
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
  return [
    {
      name: "SFT exact match on held-out requests",
      value: exact("sft"),
      atLeast: limits.sftExact,
    },
    {
      name: "SFT exact match above the base model's by",
      value: exact("sft") - exact("base"),
      atLeast: limits.sftGain,
    },
    {
      name: "reward model's pair accuracy below the best possible by",
      value: (raters["bestAccuracy"] ?? NaN) - (reward["accuracy"] ?? NaN),
      atMost: limits.rewardGap,
    },
    {
      name: "PPO gold score above SFT's by",
      value: gold("ppo") - gold("sft"),
      atLeast: limits.goldGain,
    },
    { name: "PPO win rate against SFT", value: win?.winRate.rate ?? NaN, atLeast: limits.winRate },
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
  goldGain: number;
  winRate: number;
  maxKl: number;
}

const DEFAULT_LIMITS: Limits = {
  sftExact: 0.85,
  sftGain: 0.5,
  rewardGap: 0.03,
  goldGain: 0.02,
  winRate: 0.65,
  maxKl: 20,
};

const TINY_LIMITS: Limits = {
  sftExact: 0.1,
  sftGain: 0.1,
  rewardGap: 0.25,
  goldGain: 0,
  winRate: 0.5,
  maxKl: 40,
};
