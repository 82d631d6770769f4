import { recordFields, commonFields, optimizationFields, progressFields } from "@stagecraft/runs";
import { z } from "zod";
import { overlongField } from "./fields.js";

/** What `stagecraft reward` can be told. */
export const rewardSchema = z.strictObject({
  model: z.string().min(1).describe("Model directory to start from (SFT or base), with tokenizer"),
  keepLayers: z
    .int()
    .min(0)
    .default(0)
    .describe("Use only the first layers of that model, for a smaller reward model; 0 = all"),
  data: z.array(z.string().min(1)).min(1).describe("JSONL files of ranked answers"),
  validationData: z
    .array(z.string().min(1))
    .default([])
    .describe("Held-out rankings; empty = a share of data"),
  validationFraction: z
    .number()
    .min(0)
    .max(0.5)
    .default(0.1)
    .describe("Share of data held out when validationData is empty"),
  references: z
    .array(z.string().min(1))
    .default([])
    .describe("Demonstrations whose mean score becomes 0; empty = all ranked answers"),
  ...recordFields("rankings"),
  objective: z
    .enum(["ranking", "classification", "regression"])
    .default("ranking")
    .describe("Rank K answers (K = 2: pairs), tell good from bad, or predict a 0–1 score"),
  ratingMin: z
    .number()
    .default(0)
    .describe("Worst score of the records, for classification and regression"),
  ratingMax: z
    .number()
    .default(1)
    .describe("Best score of the records; scores outside the two are refused"),
  ensemble: z
    .int()
    .min(1)
    .max(16)
    .default(1)
    .describe("Members that differ in seed and data order; scores are their mean, with a spread"),
  centerCoef: z
    .number()
    .min(0)
    .default(0)
    .describe("Weight of (r_a + r_b)², which keeps scores near 0; .01 is usual"),
  contextLength: z
    .int()
    .min(0)
    .default(0)
    .describe("Longest sequence, prompt and answer; 0 = the model's positions"),
  overlong: overlongField.describe(
    "Rankings with longer answers: cut (they lose their beginning), drop, or stop with an error",
  ),
  batchSize: z.int().min(1).default(64).describe("Prompts per micro-batch, all answers of each"),
  epochs: z.number().positive().max(1000).default(1).describe("Passes over the rankings"),
  selectModel: z
    .enum(["best", "last"])
    .default("best")
    .describe("Which weights become the result: lowest held-out cross-entropy, or the last"),
  ...optimizationFields({ learningRate: 3e-4, warmupSteps: 5, weightDecay: 0.1 }),
  ...progressFields,
  logEvery: progressFields.logEvery.default(1),
  evalEvery: progressFields.evalEvery.default(20),
  ...commonFields,
});

export type RewardConfig = z.infer<typeof rewardSchema>;
