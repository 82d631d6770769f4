import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { atomicWriteFile } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";
import { writeJsonl } from "@stagecraft/data";

/** The models of a loop and β: what a round starts from, and what it leaves. */
export interface LoopModels {
  policy: string;
  /** Frozen KL reference. */
  reference: string;
  /** Empty: none yet. */
  rewardModel: string;
  klCoef: number;
}

/** A finished round: a line of loop.jsonl. */
export interface LoopRound extends LoopModels {
  round: number;
  /** New demonstrations that SFT learnt before the round's answers were sampled. */
  newDemonstrations: number;
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
  /** Held-out prompts that the candidate orders better, of those that the two order differently. */
  wins: number | null;
  trials: number | null;
  /** Of the sign test; null where there was nothing to compare. */
  pValue: number | null;
  /** Whether the candidate took over. */
  promoted: boolean;
  /** Mean score of the last PPO update, by the reward model in use; null where nothing was scored. */
  score: number | null;
  /** Mean score on held-out prompts; null without evalPrompts. */
  evalScore: number | null;
  /** KL to the reference, nats per answer; null as the score is. */
  kl: number | null;
  elapsedMs: number;
}

/** Everything that one round hands to the next. */
export interface LoopState extends LoopModels {
  formatVersion: 2;
  /** What the loop began with. */
  start: LoopModels;
  /** Files of the inboxes that rounds have taken, as `name sha256`. */
  consumed: string[];
  consumedDemonstrations: string[];
  /** Up to where the feedback service has been read; absent = nothing. */
  feedbackPosition?: string;
  demonstrationPosition?: string;
  rounds: LoopRound[];
}

const STATE_FILE = "loop-state.json";

/** Before the first round. */
export function initialState(start: LoopModels): LoopState {
  const nothing = { consumed: [], consumedDemonstrations: [], rounds: [] };
  return { formatVersion: 2, ...start, start, ...nothing };
}

/** The state of the last finished round; `initial` when there is none. */
export async function readLoopState(dir: string, initial: LoopState): Promise<LoopState> {
  return (await findLoopState(dir, initial)) ?? initial;
}

/** Undefined before the first round was finished. What older versions did not write is of `initial`. */
export async function findLoopState(
  dir: string,
  initial?: LoopState,
): Promise<LoopState | undefined> {
  const file = join(dir, STATE_FILE);
  if (!existsSync(file)) return undefined;
  try {
    const found = JSON.parse(await readFile(file, "utf8")) as LoopState;
    const nothing = { consumedDemonstrations: [] };
    return { ...nothing, ...initial, ...found, formatVersion: 2 };
  } catch (cause) {
    const reason = `${file} is not valid JSON; start the loop in another run directory`;
    throw new StagecraftError("data_loss", reason, { cause });
  }
}

/** Commits a state: itself first, then loop.jsonl, which is made from it. */
export async function writeLoopState(dir: string, state: LoopState): Promise<void> {
  await atomicWriteFile(join(dir, STATE_FILE), `${JSON.stringify(state, null, 2)}\n`);
  await writeJsonl(join(dir, "loop.jsonl"), state.rounds);
}
