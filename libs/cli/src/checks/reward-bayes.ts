import { rm } from "node:fs/promises";
import { join } from "node:path";
import { whole } from "@stagecraft/fields";
import { z } from "zod";
import type { LearningCheck } from "./learning-check.js";

const schema = z.strictObject({
  prompts: whole({ min: 100, max: 100_000, default: 2000 }).describe("Ranked prompts to train on"),
  k: whole({ min: 2, max: 9, default: 4 }).describe("Answers per prompt"),
});

/** A reward model on Plackett–Luce labels of a known utility, against what their noise allows. */
export const rewardBayesCheck: LearningCheck = {
  name: "reward-bayes",
  summary: "a reward model within 1.5 points of the Bayes accuracy, calibrated within .05",
  schema,
  async run({ seed, runDir, signal, options }) {
    const { prompts, k } = options as z.infer<typeof schema>;
    const [{ runRewardBayesCheck }, { initEngine }] = await Promise.all([
      import("@stagecraft/learn"),
      import("@stagecraft/tensor"),
    ]);
    await initEngine({ numThreads: 1 }); // too small for two
    const trainingDir = join(runDir, "training");
    await rm(trainingDir, { recursive: true, force: true });
    const result = await runRewardBayesCheck({ runDir: trainingDir, seed, prompts, k, signal });
    const { accuracy, bayesAccuracy, calibrationError } = result;
    return {
      figures: { ...result },
      bars: [
        { name: "accuracy", value: accuracy, atLeast: bayesAccuracy - 0.015 },
        { name: "calibration error", value: calibrationError, atMost: 0.05 },
      ],
    };
  },
};
