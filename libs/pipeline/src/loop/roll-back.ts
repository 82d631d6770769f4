import { existsSync } from "node:fs";
import { StagecraftError } from "@stagecraft/core";
import { acquireRunLock, readRunRecord } from "@stagecraft/runs";
import { openLoopModels } from "./loop-models.js";
import { findLoopState, writeLoopState, type LoopState } from "./loop-state.js";

/** Where a loop stands after somebody went back. */
export interface RolledBack {
  state: LoopState;
  /** How often a version was put to use so far. */
  numPromotions: number;
}

/**
 * Makes the models that a round left the current ones: the next round starts from them. Rounds and
 * rankings stay; what an unfinished round has done from other models is set aside. Throws
 * `failed_precondition` while the loop runs, `not_found` for a round that it has not finished.
 */
export async function rollBack(dir: string, to: number): Promise<RolledBack> {
  if (!existsSync(dir)) throw nothingThere(dir);
  const lock = await acquireRunLock(dir);
  try {
    const before = await findLoopState(dir);
    if (!before) throw nothingThere(dir);
    const models = openLoopModels(dir, { registry: await registryOf(dir) });
    const state = await models.rollBack(before, to);
    await writeLoopState(dir, state);
    return { state, numPromotions: await models.numPromotions() };
  } finally {
    await lock.release();
  }
}

/** The file that the loop was told, if any. */
async function registryOf(dir: string): Promise<string> {
  const named = (await readRunRecord(dir))?.config["registry"];
  return typeof named === "string" ? named : "";
}

function nothingThere(dir: string): StagecraftError {
  return new StagecraftError(
    "not_found",
    `there is no loop with a finished round in ${dir}; name its directory with --run`,
  );
}
