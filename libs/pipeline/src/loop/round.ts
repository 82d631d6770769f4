import { deriveSeed } from "@stagecraft/core";
import { engineSettings } from "@stagecraft/fields";
import type { StageContext } from "@stagecraft/runs";
import type { LoopConfig } from "./loop-config.js";
import type { LoopRegistry } from "./loop-models.js";
import type { LoopState } from "./loop-state.js";
import type { LoopPlace, LoopStep } from "./place.js";
import type { LoopReports } from "./loop-reports.js";
import type { LoopRanker } from "./ranker-definition.js";

/** What every round of a loop shares. */
export interface RoundScope {
  config: LoopConfig;
  /** The loop's run directory. */
  runDir: string;
  context: StageContext;
  /** undefined: people rank, through the inbox or the feedback service, or a program. */
  ranker: LoopRanker | undefined;
  place: LoopPlace;
  models: LoopRegistry;
  reports: LoopReports;
}

/** One round: its number, its directory, the state it starts from. */
export interface Round extends RoundScope {
  number: number;
  dir: string;
  /** How often it was begun from other models before. */
  numAsides: number;
  state: LoopState;
}

/** A step of the round. */
export function stepOf({ dir, context, numAsides }: Round, name: string): LoopStep {
  return { dir, name, numAsides, context };
}

/** What every stage of a round is told. */
export function commonConfig({ config, number }: Round) {
  return { ...engineSettings(config), seed: deriveSeed(config.seed, "round", number) >>> 1 };
}
