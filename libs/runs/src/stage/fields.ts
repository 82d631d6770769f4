import { MODEL_DTYPES, type Model, type SaveModelOptions } from "@stagecraft/model";
import { choice, decimal, engineFields, text, texts, whole } from "@stagecraft/fields";
import type { z } from "zod";

/** Fields of every stage. */
export const commonFields = {
  seed: whole({ max: 2 ** 31 - 1, default: 1 }).describe(
    "Seed of everything random in the stage: same seed, same run on one thread",
  ),
  ...engineFields,
};

/** How the model that a stage makes is written. */
export const writtenModelFields = {
  dtype: choice(["auto", ...MODEL_DTYPES], "auto").describe(
    "Type of the weights in the model that is written; auto = that of the model that was read, f32 for a " +
      "new one. Training, its checkpoints and its best model have f32",
  ),
  maxShardMegabytes: decimal({ default: 0 }).describe(
    "Weights of more megabytes are written as several files with an index; 0 = one file",
  ),
};

export type WrittenModelConfig = z.infer<z.ZodObject<typeof writtenModelFields>>;

/** What these fields mean for a model. */
export function writtenAs(
  { dtype, maxShardMegabytes }: WrittenModelConfig,
  model: Pick<Model, "dtype">,
): Pick<SaveModelOptions, "dtype" | "maxShardBytes"> {
  return {
    dtype: dtype === "auto" ? model.dtype : dtype,
    ...(maxShardMegabytes > 0 && { maxShardBytes: maxShardMegabytes * 1e6 }),
  };
}

/** Fields of stages that render conversations. */
export const chatFields = {
  chatTemplate: text("").describe(
    "Chat template in the place of the model's: chatml, llama3 or a file in Jinja; empty = the model's own. " +
      "Stages that train a model add the tokens that it needs, others refuse one that needs some",
  ),
  chatTokens: texts([]).describe(
    "Tokens of that template whose names might be text as well, such as <start_of_turn>; names in <|…|> are known",
  ),
};

/** Bookkeeping of stages that train step by step. */
export const progressFields = {
  logEvery: whole({ min: 1, default: 10 }).describe(
    "Optimizer steps between records in metrics.jsonl",
  ),
  evalEvery: whole({ default: 100 }).describe(
    "Optimizer steps between evaluations, 0 = only at the end",
  ),
  checkpointEvery: whole({ default: 100 }).describe(
    "Optimizer steps between checkpoints, 0 = only when the stage ends or is stopped",
  ),
  keepCheckpoints: whole({ min: 2, max: 100, default: 2 }).describe(
    "Checkpoints to keep; two, so that a damaged one has a predecessor",
  ),
};

export interface OptimizationDefaults {
  optimizer?: "adamw" | "sgd";
  learningRate: number;
  schedule?: "cosine" | "linear" | "constant";
  minLearningRateRatio?: number;
  warmupSteps: number;
  beta2?: number;
  weightDecay: number;
}

/** Optimizer and schedule; each stage has its own defaults [reference, "Where to start"]. */
export function optimizationFields(defaults: OptimizationDefaults) {
  return {
    optimizer: choice(["adamw", "sgd"], defaults.optimizer ?? "adamw").describe(
      "AdamW, or stochastic gradient descent with momentum",
    ),
    learningRate: decimal({ above: 0, max: 10, default: defaults.learningRate }).describe(
      "Highest learning rate, reached after warm-up",
    ),
    schedule: choice(["cosine", "linear", "constant"], defaults.schedule ?? "cosine").describe(
      "How the learning rate falls after warm-up",
    ),
    minLearningRateRatio: decimal({
      max: 1,
      default: defaults.minLearningRateRatio ?? 0.1,
    }).describe("Last learning rate as a share of the highest"),
    warmupSteps: whole({ default: defaults.warmupSteps }).describe(
      "Steps of linear warm-up of the learning rate",
    ),
    beta1: decimal({ max: 0.9999, default: 0.9 }).describe("AdamW: decay of the mean"),
    beta2: decimal({ max: 0.99999, default: defaults.beta2 ?? 0.99 }).describe(
      "AdamW: decay of the squared mean",
    ),
    adamEps: decimal({ above: 0, max: 1, default: 1e-8 }).describe("AdamW: epsilon"),
    momentum: decimal({ max: 0.9999, default: 0.9 }).describe("SGD: momentum"),
    weightDecay: decimal({ max: 10, default: defaults.weightDecay }).describe(
      "Weight decay of tensors with two or more dimensions",
    ),
    clipNorm: decimal({ default: 1 }).describe(
      "Gradients are scaled down to this global norm, 0 = never",
    ),
    accumulationSteps: whole({ min: 1, default: 1 }).describe(
      "Micro-batches per optimizer step; gradients equal those of one large batch",
    ),
  };
}

export type OptimizationConfig = z.infer<z.ZodObject<ReturnType<typeof optimizationFields>>>;
export type ProgressConfig = z.infer<z.ZodObject<typeof progressFields>>;
export type CommonConfig = z.infer<z.ZodObject<typeof commonFields>>;
