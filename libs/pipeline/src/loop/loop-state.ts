import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { atomicWriteFile } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";
import { writeJsonl } from "@stagecraft/data";

/** A finished round: a line of loop.jsonl. */
export interface LoopRound {
  round: number;
  /** Answers sampled for ranking. */
  answers: number;
  /** Rankings that came in. */
  newRankings: number;
  /** Rankings that the candidate was trained on. */
  poolRankings: number;
  /** Pairs that judged candidate and model in use. */
  heldOutPairs: number;
  /** Held-out pair accuracy of the reward model in use before; null when there was none. */
  inUseAccuracy: number | null;
  /** Of this round's candidate; null when there were no rankings to train on. */
  candidateAccuracy: number | null;
  /** Whether the candidate took over. */
  promoted: boolean;
  /** Mean score of the last PPO update, by the reward model in use; null where nothing was scored. */
  score: number | null;
  /** Mean score on held-out requests; null without evalPrompts. */
  evalScore: number | null;
  /** KL to the reference, nats per answer; null as the score is. */
  kl: number | null;
  klCoef: number;
  policy: string;
  rewardModel: string;
  elapsedMs: number;
}

/** Everything that one round hands to the next. */
export interface LoopState {
  formatVersion: 1;
  policy: string;
  /** Empty: none yet. */
  rewardModel: string;
  klCoef: number;
  /** Files of the inbox whose rankings are in the pool, as `name sha256`. */
  consumed: string[];
  /** Up to where the feedback service has been read; absent = nothing. */
  feedbackPosition?: string;
  rounds: LoopRound[];
}

const STATE_FILE = "loop-state.json";

/** The state of the last finished round; `initial` when there is none. */
export async function readLoopState(dir: string, initial: LoopState): Promise<LoopState> {
  const file = join(dir, STATE_FILE);
  if (!existsSync(file)) return initial;
  try {
    return JSON.parse(await readFile(file, "utf8")) as LoopState;
  } catch (cause) {
    const reason = `${file} is not valid JSON; start the loop in another run directory`;
    throw new StagecraftError("data_loss", reason, { cause });
  }
}

/** Commits a round: the state first, then loop.jsonl, which is made from it. */
export async function commitRound(dir: string, state: LoopState): Promise<void> {
  await atomicWriteFile(join(dir, STATE_FILE), `${JSON.stringify(state, null, 2)}\n`);
  await writeJsonl(join(dir, "loop.jsonl"), state.rounds);
}
