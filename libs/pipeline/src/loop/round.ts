import { join } from "node:path";
import type { StageContext, StageResult } from "@stagecraft/runs";
import type { PpoConfig } from "@stagecraft/ppo";
import type { LoopConfig } from "./loop-config.js";
import type { LoopState } from "./loop-state.js";
import type { LoopRanker } from "./ranker-definition.js";

/** What every round of a loop shares. */
export interface RoundScope {
  config: LoopConfig;
  /** The loop's run directory. */
  runDir: string;
  context: StageContext;
  /** undefined: people rank, through the inbox or the feedback service. */
  ranker: LoopRanker | undefined;
  runPpo(config: PpoConfig, context: StageContext): Promise<StageResult>;
}

/** One round: its number, its directory, the state it starts from. */
export interface Round extends RoundScope {
  number: number;
  dir: string;
  state: LoopState;
}

/** `rounds/0001`, … in the loop's run directory. */
export function roundDir(runDir: string, number: number): string {
  return join(runDir, "rounds", String(number).padStart(4, "0"));
}

/** The rankings of the first `rounds` rounds. */
export function rankingFiles(runDir: string, rounds: number): string[] {
  return Array.from({ length: rounds }, (_, i) => join(roundDir(runDir, i + 1), "rankings.jsonl"));
}
