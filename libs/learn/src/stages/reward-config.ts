import {
  recordFields,
  chatFields,
  commonFields,
  loraFields,
  optimizationFields,
  progressFields,
  writtenModelFields,
} from "@stagecraft/runs";
import { choice, decimal, text, texts, whole } from "@stagecraft/fields";
import { z } from "zod";
import { heldOutFields, rankingBatchFields, selectModelField } from "./fields.js";

/** What `stagecraft reward` can be told. */
export const rewardSchema = z.strictObject({
  model: text().describe("Model directory to start from (SFT or base), with tokenizer"),
  keepLayers: whole({ default: 0 }).describe(
    "Use only the first layers of that model, for a smaller reward model; 0 = all",
  ),
  data: texts().describe("JSONL files of ranked answers"),
  ...heldOutFields("rankings", 0.1),
  references: texts([]).describe(
    "Demonstrations whose mean score becomes 0; empty = all ranked answers",
  ),
  ...recordFields("rankings"),
  ...chatFields,
  objective: choice(["ranking", "classification", "regression"], "ranking").describe(
    "Rank K answers (K = 2: pairs), tell good from bad, or predict a 0–1 score",
  ),
  ratingMin: z
    .number()
    .default(0)
    .describe("Worst score of the records, for classification and regression"),
  ratingMax: z
    .number()
    .default(1)
    .describe("Best score of the records; scores outside the two are refused"),
  ensemble: whole({ min: 1, max: 16, default: 1 }).describe(
    "Members that differ in seed and data order; scores are their mean, with a spread",
  ),
  centerCoef: decimal({ default: 0 }).describe(
    "Weight of (r_a + r_b)², which keeps scores near 0; .01 is usual",
  ),
  ...rankingBatchFields(64),
  selectModel: selectModelField("held-out cross-entropy"),
  ...loraFields("the model; the score head is trained whole"),
  ...optimizationFields({ learningRate: 3e-4, warmupSteps: 5, weightDecay: 0.1 }),
  ...progressFields,
  logEvery: progressFields.logEvery.default(1),
  evalEvery: progressFields.evalEvery.default(20),
  ...writtenModelFields,
  ...commonFields,
});

export type RewardConfig = z.infer<typeof rewardSchema>;
