import { chatFields, commonFields, recordFields } from "@stagecraft/runs";
import { z } from "zod";

/** What `stagecraft evaluate` can be told. */
export const evaluateSchema = z.strictObject({
  models: z
    .array(z.string().min(1))
    .min(1)
    .describe("Model directories to compare, each as DIR or NAME=DIR"),
  prompts: z
    .array(z.string().min(1))
    .default([])
    .describe("Prompts to answer: files, folders or patterns, in a format of docs/data.md"),
  tasks: z
    .array(z.string().min(1))
    .default([])
    .describe(
      "Benchmarks to measure instead, as lm-eval does: hellaswag=PATH, arc=PATH, mmlu=PATH, gsm8k=PATH, " +
        "ifeval-like=PATH, or NAME=PATH for a file of one of their formats or of your own (docs/data.md)",
    ),
  examples: z
    .array(z.string().min(1))
    .default([])
    .describe(
      "Worked examples of a task, TASK=PATH; default: its split for them in the same folder",
    ),
  shots: z
    .int()
    .min(-1)
    .max(100)
    .default(-1)
    .describe("Worked examples before each item of a task, -1 = as lm-eval: gsm8k 5, others 0"),
  asChat: z
    .boolean()
    .default(false)
    .describe("Items of tasks as chats in the model's template; otherwise as plain text"),
  taskTokens: z
    .int()
    .min(0)
    .default(0)
    .describe(
      "Longest written answer of a task in tokens, 0 = its own: gsm8k 256, ifeval-like 1280",
    ),
  limit: z
    .int()
    .min(0)
    .default(0)
    .describe("At most this many prompts, or items of each task (subjects of mmlu each), 0 = all"),
  rewardModel: z
    .string()
    .default("")
    .describe("Reward model directory that scores every answer; empty = none"),
  bestOf: z
    .int()
    .min(1)
    .max(64)
    .default(1)
    .describe("Answers drawn per prompt, of which the reward model's favourite is kept"),
  baselines: z
    .array(z.string().min(1))
    .default([])
    .describe("Models to compare as best of bestOf, DIR or NAME=DIR; the others then answer once"),
  baselineTemperature: z
    .number()
    .positive()
    .max(10)
    .default(1)
    .describe("Sampling temperature of the baselines"),
  temperature: z.number().min(0).max(10).default(0).describe("Sampling temperature, 0 = greedy"),
  topK: z.int().min(0).default(0).describe("Draw from this many likeliest tokens, 0 = all"),
  topP: z.number().positive().max(1).default(1).describe("Draw from this share of probability"),
  maxNewTokens: z.int().min(1).default(64).describe("Longest answer in tokens"),
  batchSize: z.int().min(1).default(32).describe("Answers generated at the same time"),
  courtesies: z
    .array(z.string().min(1))
    .default([])
    .describe("Sentences that exact match ignores wherever they stand in an answer"),
  tieMargin: z
    .number()
    .min(0)
    .default(0)
    .describe("Scores that differ by no more count as a tie in win rates"),
  ...chatFields,
  ...recordFields("prompts"),
  ...commonFields,
});

export type EvaluateConfig = z.infer<typeof evaluateSchema>;

export interface NamedModel {
  readonly name: string;
  readonly dir: string;
}

/** A model and how it answers. */
export interface Contestant extends NamedModel {
  readonly temperature: number;
  /** Answers drawn per prompt; the reward model's favourite counts. */
  readonly bestOf: number;
}

/** The models, then the baselines, which are called NAME-boN (best of N). */
export function contestants(config: EvaluateConfig): Contestant[] {
  const { models, baselines, bestOf, temperature, baselineTemperature } = config;
  const alone = baselines.length === 0;
  return [
    ...models.map((text) => ({ ...parseModel(text), temperature, bestOf: alone ? bestOf : 1 })),
    ...baselines.map((text) => {
      const { name, dir } = parseModel(text);
      return { name: `${name}-bo${bestOf}`, dir, temperature: baselineTemperature, bestOf };
    }),
  ];
}

/** "sft=runs/sft/model" → name and directory; without a name the directory is the name. */
export function parseModel(text: string): NamedModel {
  const match = /^([^=/\\]+)=(.+)$/.exec(text);
  return match ? { name: match[1]!, dir: match[2]! } : { name: text, dir: text };
}
