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

/**
 * The rankings of all rounds and of the configuration. A prompt's side depends on the prompt alone, so
 * no later round trains on what an earlier one was judged by. Repeated records count once, and of a
 * rater who ranked the same answers again the last word.
 */
export async function gatherPool(
  config: LoopConfig,
  roundFiles: readonly string[],
  { warn = () => undefined }: { warn?: (message: string) => void } = {},
): Promise<RankingPool> {
  const all = await readAll([...config.rankings, ...roundFiles]);
  const judges = await readAll(config.heldOutRankings);
  const keyOf = ({ prompt }: Ranking) => JSON.stringify(prompt);
  // Not the reward stage's own key: of what it draws for validation, nothing would be left here.
  const drawOf = (ranking: Ranking) => `loop ${keyOf(ranking)}`;
  const { train, validation } = holdOut(all, config.heldOutFraction, drawOf);
  const sizes = { numTrain: train.length, numHeldOut: validation.length, what: "rankings" };
  const problem = shareProblem({ fraction: config.heldOutFraction, ...sizes });
  if (problem !== undefined && judges.length === 0) {
    warn(`${problem} with heldOutFraction; more rankings, or heldOutRankings, judge better`);
  }
  const judging = new Set(judges.map(keyOf));
  return {
    train: train.filter((ranking) => !judging.has(keyOf(ranking))),
    heldOut: distinct([...judges, ...validation]),
  };
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
  return lastWords(distinct(rankings));
}

function distinct(rankings: readonly Ranking[]): Ranking[] {
  return [...new Map(rankings.map((ranking) => [JSON.stringify(ranking), ranking])).values()];
}
