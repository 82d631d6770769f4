import { MODEL_DTYPES, type Model, type SaveModelOptions } from "@stagecraft/model";
import { z } from "zod";

/** Fields of every stage. */
export const commonFields = {
  seed: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .default(1)
    .describe("Seed of everything random in the stage: same seed, same run on one thread"),
  engine: z
    .enum(["auto", "native", "xla", "tensorflow", "cpu"])
    .default("auto")
    .describe("Tensor engine; auto takes the fastest that works here"),
  plugin: z
    .string()
    .default("")
    .describe("A PJRT plugin's file for the engine xla, empty = the one that pip installed"),
  threads: z
    .int()
    .min(0)
    .max(1024)
    .default(0)
    .describe("Threads of the engine, 0 = all cores; 1 for bit-exact repetition"),
};

/** How the model that a stage makes is written. */
export const writtenModelFields = {
  dtype: z
    .enum(["auto", ...MODEL_DTYPES])
    .default("auto")
    .describe(
      "Type of the weights in the model that is written; auto = that of the model that was read, f32 for a " +
        "new one. Training, its checkpoints and its best model have f32",
    ),
  maxShardMegabytes: z
    .number()
    .min(0)
    .default(0)
    .describe("Weights of more megabytes are written as several files with an index; 0 = one file"),
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
  chatTemplate: z
    .string()
    .default("")
    .describe(
      "Chat template in the place of the model's: chatml, llama3 or a file in Jinja; empty = the model's own. " +
        "Stages that train a model add the tokens that it needs, others refuse one that needs some",
    ),
  chatTokens: z
    .array(z.string().min(1))
    .default([])
    .describe(
      "Tokens of that template whose names might be text as well, such as <start_of_turn>; names in <|…|> are known",
    ),
};

/** Bookkeeping of stages that train step by step. */
export const progressFields = {
  logEvery: z.int().min(1).default(10).describe("Optimizer steps between records in metrics.jsonl"),
  evalEvery: z
    .int()
    .min(0)
    .default(100)
    .describe("Optimizer steps between evaluations, 0 = only at the end"),
  checkpointEvery: z
    .int()
    .min(0)
    .default(100)
    .describe("Optimizer steps between checkpoints, 0 = only when the stage ends or is stopped"),
  keepCheckpoints: z
    .int()
    .min(2)
    .max(100)
    .default(2)
    .describe("Checkpoints to keep; two, so that a damaged one has a predecessor"),
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
    optimizer: z
      .enum(["adamw", "sgd"])
      .default(defaults.optimizer ?? "adamw")
      .describe("AdamW, or stochastic gradient descent with momentum"),
    learningRate: z
      .number()
      .positive()
      .max(10)
      .default(defaults.learningRate)
      .describe("Highest learning rate, reached after warm-up"),
    schedule: z
      .enum(["cosine", "linear", "constant"])
      .default(defaults.schedule ?? "cosine")
      .describe("How the learning rate falls after warm-up"),
    minLearningRateRatio: z
      .number()
      .min(0)
      .max(1)
      .default(defaults.minLearningRateRatio ?? 0.1)
      .describe("Last learning rate as a share of the highest"),
    warmupSteps: z
      .int()
      .min(0)
      .default(defaults.warmupSteps)
      .describe("Steps of linear warm-up of the learning rate"),
    beta1: z.number().min(0).max(0.9999).default(0.9).describe("AdamW: decay of the mean"),
    beta2: z
      .number()
      .min(0)
      .max(0.99999)
      .default(defaults.beta2 ?? 0.99)
      .describe("AdamW: decay of the squared mean"),
    adamEps: z.number().positive().max(1).default(1e-8).describe("AdamW: epsilon"),
    momentum: z.number().min(0).max(0.9999).default(0.9).describe("SGD: momentum"),
    weightDecay: z
      .number()
      .min(0)
      .max(10)
      .default(defaults.weightDecay)
      .describe("Weight decay of tensors with two or more dimensions"),
    clipNorm: z
      .number()
      .min(0)
      .default(1)
      .describe("Gradients are scaled down to this global norm, 0 = never"),
    accumulationSteps: z
      .int()
      .min(1)
      .default(1)
      .describe("Micro-batches per optimizer step; gradients equal those of one large batch"),
  };
}

export type OptimizationConfig = z.infer<z.ZodObject<ReturnType<typeof optimizationFields>>>;
export type ProgressConfig = z.infer<z.ZodObject<typeof progressFields>>;
export type CommonConfig = z.infer<z.ZodObject<typeof commonFields>>;
