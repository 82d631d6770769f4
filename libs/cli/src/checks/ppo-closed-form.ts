import { rm } from "node:fs/promises";
import { join } from "node:path";
import { choice, decimal, whole } from "@stagecraft/fields";
import { z } from "zod";
import type { LearningCheck } from "./learning-check.js";

const ESTIMATORS = { ppo: "gae", rloo: "rloo", grpo: "grpo" } as const;

const schema = z.strictObject({
  beta: decimal({ min: 0.05, max: 10, default: 0.5 }).describe("Price of a nat of KL, β"),
  estimator: choice(["ppo", "rloo", "grpo"], "ppo").describe("Advantages"),
  staleness: whole({ max: 64, default: 0 }).describe(
    "η: updates that sampling runs ahead of training",
  ),
  reference: choice(["peaked", "uniform"], "peaked").describe(
    "Where the policy starts and the KL is taken to",
  ),
});

/** PPO, synchronous: as close as the published setting comes. The rest has more variance. */
const TIGHT_GAP = 0.01;
const LOOSE_GAP = 0.05;

/** A policy whose every answer can be listed, against the closed form of its optimum. */
export const closedFormCheck: LearningCheck = {
  name: "ppo-closed-form",
  summary:
    "the optimum of E[r] − β·KL that can be computed: within .01 by PPO, .05 by RLOO, GRPO or stale answers",
  schema,
  async run({ seed, runDir, signal, reporter, options }) {
    const { beta, estimator, staleness, reference } = options as z.infer<typeof schema>;
    const [{ runClosedFormCheck }, { initEngine }] = await Promise.all([
      import("@stagecraft/ppo"),
      import("@stagecraft/tensor"),
    ]);
    await initEngine({ numThreads: 1 }); // too small for two
    const trainingDir = join(runDir, "training");
    await rm(trainingDir, { recursive: true, force: true });
    const updates = 150;
    const { gap, gapOfReference, optimum, reached } = await runClosedFormCheck({
      runDir: trainingDir,
      beta,
      seed,
      staleness,
      reference,
      updates,
      estimator: ESTIMATORS[estimator],
      signal,
      onUpdate: (done, note) =>
        reporter.progress({ stage: "ppo", done, total: updates, unit: "steps", note }),
    });
    const figures = {
      gap,
      gapOfReference,
      optimum: optimum.objective,
      objective: reached.objective,
      reward: reached.reward,
      kl: reached.kl,
      optimalReward: optimum.reward,
      optimalKl: optimum.kl,
    };
    const atMost = estimator === "ppo" && staleness === 0 ? TIGHT_GAP : LOOSE_GAP;
    return { figures, bars: [{ name: "J* − J", value: gap, atMost }] };
  },
};
