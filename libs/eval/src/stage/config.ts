import { chatFields, commonFields, recordFields } from "@stagecraft/runs";
import { decimal, flag, text, texts, whole } from "@stagecraft/fields";
import { z } from "zod";

/** What `stagecraft evaluate` can be told. */
export const evaluateSchema = z.strictObject({
  models: texts().describe("Model directories to compare, each as DIR or NAME=DIR"),
  prompts: texts([]).describe(
    "Prompts to answer: files, folders or patterns, in a format of docs/data.md",
  ),
  tasks: texts([]).describe(
    "Benchmarks to measure instead, as lm-eval does: hellaswag=PATH, arc=PATH, mmlu=PATH, gsm8k=PATH, " +
      "ifeval-like=PATH, or NAME=PATH for a file of one of their formats or of your own (docs/data.md)",
  ),
  examples: texts([]).describe(
    "Worked examples of a task, TASK=PATH; default: its split for them in the same folder",
  ),
  shots: whole({ min: -1, max: 100, default: -1 }).describe(
    "Worked examples before each item of a task, -1 = as lm-eval: gsm8k 5, others 0",
  ),
  asChat: flag(false).describe(
    "Items of tasks as chats in the model's template; otherwise as plain text",
  ),
  taskTokens: whole({ default: 0 }).describe(
    "Longest written answer of a task in tokens, 0 = its own: gsm8k 256, ifeval-like 1280",
  ),
  limit: whole({ default: 0 }).describe(
    "At most this many prompts, or items of each task (subjects of mmlu each), 0 = all",
  ),
  rewardModel: text("").describe("Reward model directory that scores every answer; empty = none"),
  bestOf: whole({ min: 1, max: 64, default: 1 }).describe(
    "Answers drawn per prompt, of which the reward model's favourite is kept",
  ),
  baselines: texts([]).describe(
    "Models to compare as best of bestOf, DIR or NAME=DIR; the others then answer once",
  ),
  baselineTemperature: decimal({ above: 0, max: 10, default: 1 }).describe(
    "Sampling temperature of the baselines",
  ),
  temperature: decimal({ max: 10, default: 0 }).describe("Sampling temperature, 0 = greedy"),
  topK: whole({ default: 0 }).describe("Draw from this many likeliest tokens, 0 = all"),
  topP: decimal({ above: 0, max: 1, default: 1 }).describe("Draw from this share of probability"),
  maxNewTokens: whole({ min: 1, default: 64 }).describe("Longest answer in tokens"),
  batchSize: whole({ min: 1, default: 32 }).describe("Answers generated at the same time"),
  courtesies: texts([]).describe(
    "Sentences that exact match ignores wherever they stand in an answer",
  ),
  tieMargin: decimal({ default: 0 }).describe(
    "Scores that differ by no more count as a tie in win rates",
  ),
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
