import { join } from "node:path";
import {
  holdOut,
  lastWords,
  readRankings,
  shareProblem,
  writeRankings,
  type Ranking,
} from "@stagecraft/data";
import type { LoopConfig } from "./loop-config.js";

/** Every ranking so far, divided for good: what trains reward models and what judges them. */
export interface RankingPool {
  train: Ranking[];
  heldOut: Ranking[];
}

/** Rankings as they were read, not divided yet. */
export interface PoolFiles {
  rankings: Ranking[];
  /** Those that only ever judge. */
  judges: Ranking[];
}

/** The rankings of the configuration and of rounds; repeated records count once. */
export async function readPool(
  config: LoopConfig,
  roundFiles: readonly string[],
): Promise<PoolFiles> {
  return {
    rankings: await readAll([...config.rankings, ...roundFiles]),
    judges: await readAll(config.heldOutRankings),
  };
}

/**
 * Divides rankings. A prompt's side depends on the prompt alone, so no later round trains on what an
 * earlier one was judged by. Of a rater who ranked the same answers again the last word counts.
 */
export function dividePool(
  { heldOutFraction: fraction }: LoopConfig,
  { rankings, judges }: PoolFiles,
  warn: (message: string) => void = () => undefined,
): RankingPool {
  const keyOf = ({ prompt }: Ranking) => JSON.stringify(prompt);
  // Not the reward stage's own key: of what it draws for validation, nothing would be left here.
  const drawOf = (ranking: Ranking) => `loop ${keyOf(ranking)}`;
  const { train, validation } = holdOut(lastWords(rankings), fraction, drawOf);
  const sizes = { numTrain: train.length, numHeldOut: validation.length, what: "rankings" };
  const problem = shareProblem({ fraction, ...sizes });
  if (problem !== undefined && judges.length === 0) {
    warn(`${problem} with heldOutFraction; more rankings, or heldOutRankings, judge better`);
  }
  const judging = new Set(judges.map(keyOf));
  return {
    train: train.filter((ranking) => !judging.has(keyOf(ranking))),
    heldOut: lastWords(distinct([...judges, ...validation])),
  };
}

/** See `readPool` and `dividePool`. A held-out share far from the one asked for is told to `warn`. */
export async function gatherPool(
  config: LoopConfig,
  roundFiles: readonly string[],
  { warn = () => undefined }: { warn?: (message: string) => void } = {},
): Promise<RankingPool> {
  return dividePool(config, await readPool(config, roundFiles), warn);
}

/** Pairs of answers that a rater put in a strict order. */
export function numPairs(rankings: readonly Ranking[]): number {
  return rankings.reduce(
    (sum, { ranks }) =>
      sum + ranks.flatMap((a, i) => ranks.slice(i + 1).filter((b) => a !== b)).length,
    0,
  );
}

/** Writes the training side for the reward stage; returns the file. */
export async function writePool(dir: string, { train }: RankingPool): Promise<string> {
  const file = join(dir, "pool.jsonl");
  await writeRankings(file, train);
  return file;
}

async function readAll(paths: readonly string[]): Promise<Ranking[]> {
  const rankings: Ranking[] = [];
  if (paths.length > 0) for await (const ranking of readRankings(paths)) rankings.push(ranking);
  return distinct(rankings);
}

function distinct(rankings: readonly Ranking[]): Ranking[] {
  return [...new Map(rankings.map((ranking) => [JSON.stringify(ranking), ranking])).values()];
}
