import { join } from "node:path";
import { writeJsonl } from "@stagecraft/data";
import type { Tokenizer } from "@stagecraft/tokenizer";
import type { Estimates, Experience } from "../batch/experience.js";
import { trainedIds } from "../batch/layout.js";
import { tokenRewards } from "../math/rewards.js";

/** One answer with every trained token's figures: a line of `rollouts/update-NNNNNN.jsonl`. */
export interface InspectedRollout {
  update: number;
  rolloutId: string;
  prompt: string;
  answer: string;
  score: number;
  hasEos: boolean;
  tokens: {
    text: string;
    id: number;
    logProb: number;
    refLogProb: number;
    /** log π_old − log π_ref. */
    kl: number;
    value: number;
    advantage: number;
    /** −β·kl, plus the score on the last token. */
    reward: number;
  }[];
}

/** Answers with their figures, for a person to read. */
export function inspectRollouts(
  batch: readonly Experience[],
  estimates: Estimates,
  scope: { tokenizer: Tokenizer; update: number; klCoef: number },
): InspectedRollout[] {
  const { tokenizer, update, klCoef } = scope;
  return batch.map((item, i) => {
    const { oldLogProbs: logProbs, refLogProbs, score, ids, trained } = item;
    const rewards = tokenRewards({ logProbs, refLogProbs, score, klCoef });
    return {
      update,
      rolloutId: item.rolloutId,
      prompt: tokenizer.decode(ids.subarray(0, trained[0]), { skipSpecials: false }),
      answer: tokenizer.decode(ids.subarray(trained[0], trained.at(-1)! + 1)),
      score,
      hasEos: item.hasEos,
      tokens: Array.from(trainedIds(item), (id, t) => ({
        text: Buffer.from(tokenizer.decodeBytes([id], { skipSpecials: false })).toString("utf8"),
        id,
        logProb: logProbs[t]!,
        refLogProb: refLogProbs[t]!,
        kl: logProbs[t]! - refLogProbs[t]!,
        value: item.values[t]!,
        advantage: estimates.advantages[i]![t]!,
        reward: rewards[t]!,
      })),
    };
  });
}

/** Writes the first answers of an update beside the run; returns the file. */
export async function writeInspection(
  runDir: string,
  rollouts: readonly InspectedRollout[],
  update: number,
): Promise<string> {
  const file = join(runDir, "rollouts", `update-${String(update).padStart(6, "0")}.jsonl`);
  await writeJsonl(file, rollouts);
  return file;
}
