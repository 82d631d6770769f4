import { join } from "node:path";
import { deriveSeed } from "@stagecraft/core";
import type { StageContext } from "@stagecraft/runs";
import type { LoopConfig } from "./loop-config.js";
import type { LoopState } from "./loop-state.js";
import type { LoopPlace, LoopStep } from "./place.js";
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

/** The files of one name that the first `rounds` rounds left, whether they are there or not. */
export function roundFiles(runDir: string, rounds: number, name: string): string[] {
  return Array.from({ length: rounds }, (_, i) => join(roundDir(runDir, i + 1), name));
}

/** The rankings of the first `rounds` rounds. */
export function rankingFiles(runDir: string, rounds: number): string[] {
  return roundFiles(runDir, rounds, "rankings.jsonl");
}

/** A step of the round. */
export function stepOf({ dir, context, state }: Round, name: string): LoopStep {
  return { dir, name, numRollbacks: state.rollbacks.length, context };
}

/** What every stage of a round is told. */
export function commonConfig({ config, number }: Round) {
  const { engine, threads, seed } = config;
  return { engine, threads, seed: deriveSeed(seed, "round", number) >>> 1 };
}
