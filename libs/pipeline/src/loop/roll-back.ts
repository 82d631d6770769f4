import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { StagecraftError } from "@stagecraft/core";
import { acquireRunLock } from "@stagecraft/runs";
import { findLoopState, writeLoopState, type LoopModels, type LoopState } from "./loop-state.js";
import { roundDir } from "./round.js";

/**
 * Makes the models that a round left the current ones: the next round starts from them. Rounds and
 * rankings stay; what an unfinished round has done from other models is set aside. Throws
 * `failed_precondition` while the loop runs, `not_found` for a round that it has not finished.
 */
export async function rollBack(
  dir: string,
  to: number,
  now: () => Date = () => new Date(),
): Promise<LoopState> {
  if (!existsSync(dir)) throw nothingThere(dir);
  const lock = await acquireRunLock(dir);
  try {
    const state = await findLoopState(dir);
    if (!state) throw nothingThere(dir);
    const models = modelsAfter(state, to, dir);
    const rollback = { after: state.rounds.length, to, at: now().toISOString() };
    const next = { ...state, ...models, rollbacks: [...state.rollbacks, rollback] };
    const unfinished = roundDir(dir, state.rounds.length + 1);
    if (existsSync(unfinished)) await rename(unfinished, asideName(unfinished, next));
    await writeLoopState(dir, next);
    return next;
  } finally {
    await lock.release();
  }
}

function modelsAfter({ start, rounds }: LoopState, to: number, dir: string): LoopModels {
  const found = to === 0 ? start : rounds.find(({ round }) => round === to);
  if (!found) {
    const known = rounds.length === 0 ? "none" : `1 to ${rounds.length}`;
    throw new StagecraftError(
      "not_found",
      `the loop in ${dir} has not finished round ${to}; it has: ${known}, and 0 for the beginning`,
    );
  }
  const { policy, reference, rewardModel, klCoef } = found;
  return { policy, reference, rewardModel, klCoef };
}

function asideName(unfinished: string, { rollbacks }: LoopState): string {
  return `${unfinished}-before-rollback-${rollbacks.length}`;
}

function nothingThere(dir: string): StagecraftError {
  return new StagecraftError(
    "not_found",
    `there is no loop with a finished round in ${dir}; name its directory with --run`,
  );
}
