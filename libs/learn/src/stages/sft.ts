import { StagecraftError } from "@stagecraft/core";
import {
  openSftBatches,
  readConversations,
  promptKey,
  type Conversation,
  type SftBatchSource,
} from "@stagecraft/data";
import { loadModelToTeach, type Model } from "@stagecraft/model";
import {
  recordFields,
  recordOptions,
  chatFields,
  commonFields,
  contextProblems,
  dataInputs,
  defineStage,
  loraFields,
  modelFacts,
  modelInputs,
  optimizationFields,
  optimizerFor,
  progressFields,
  type StageContext,
  type StageResult,
  type StageScope,
  withLora,
  writtenModelFields,
} from "@stagecraft/runs";
import { chatTemplateFile, loadChatTokenizer, type Tokenizer } from "@stagecraft/tokenizer";
import { decimal, flag, text, texts, whole } from "@stagecraft/fields";
import { z } from "zod";
import { devicesContradictions, devicesFigure, splitFor, type Split } from "../batch/split-rows.js";
import { devicesField, heldOutFields, overlongField, selectModelField } from "./fields.js";
import { holdOutPrompts } from "./held-out.js";
import { lmTask, takeBatches } from "./language-model.js";
import { stepsOf, trainToModel } from "./train-model.js";

const schema = z.strictObject({
  model: text().describe("Model directory to start from, with its tokenizer"),
  data: texts().describe("Demonstrations: files, folders or patterns, in a format of docs/data.md"),
  ...heldOutFields("demonstrations", 0.05),
  ...recordFields("conversations"),
  contextLength: whole({ default: 0 }).describe(
    "Tokens per sequence; 0 = as many as the model has positions",
  ),
  overlong: overlongField.describe(
    "Conversations of more tokens: cut (they lose their end), drop, or stop with an error",
  ),
  ...chatFields,
  pack: flag(true).describe("Several short conversations in one sequence"),
  batchSize: whole({ min: 1, default: 8 }).describe("Sequences per micro-batch"),
  epochs: decimal({ above: 0, max: 1000, default: 3 }).describe("Passes over the demonstrations"),
  evalBatches: whole({ min: 1, default: 20 }).describe("Held-out batches per evaluation"),
  selectModel: selectModelField("validation loss"),
  ...loraFields("the model"),
  ...optimizationFields({ learningRate: 3e-4, warmupSteps: 20, weightDecay: 0.1 }),
  ...progressFields,
  ...writtenModelFields,
  devices: devicesField,
  ...commonFields,
});

export type SftConfig = z.infer<typeof schema>;

/** Supervised fine-tuning: imitates demonstrations, learning from the assistant's tokens alone. */
export const sftStage = defineStage<SftConfig>({
  name: "sft",
  summary: "fine-tune a model on demonstrations of ideal answers",
  schema,
  mayChange: ["devices"],
  examples: [
    "npx stagecraft sft --model runs/base/model --data demonstrations.jsonl --run runs/sft",
    "npx stagecraft sft --model runs/base/model --data seed-tasks.jsonl --optimizer sgd --learning-rate 0.05 --run runs/sft-sgd",
    "npx stagecraft sft --model models/smollm2 --data demonstrations.jsonl --lora-rank 16 --run runs/sft-lora",
  ],
  inputs: ({ model, data, validationData, ...chosen }) => [
    ...modelInputs({ model }),
    ...dataInputs({ data, validationData, chatTemplate: chatTemplateFile(chosen) }),
  ],
  contradictions: devicesContradictions,
  problems: ({ contextLength, model }, ahead) => contextProblems(contextLength, [model], ahead),
  outputs: async ({ model }, ahead) => ({ model: await modelFacts(model, ahead) }),
  work: sft,
});

async function sft(config: SftConfig, scope: StageScope): Promise<StageResult> {
  const split = splitFor(config);
  const tokenizer = await loadChatTokenizer(config.model, config);
  const { train, validation } = await readData(config, scope.context);
  const { loraRank, seed } = config;
  const start = await loadModelToTeach(config.model, { tokenizer, loraRank, heads: ["lm"] });
  const model = withLora(start, config, seed);
  try {
    return await trainOn({ train, validation }, { config, model, tokenizer, split, ...scope });
  } finally {
    model.dispose();
  }
}

interface TrainParts {
  model: Model;
  tokenizer: Tokenizer;
  split: Split | undefined;
}

async function trainOn(
  data: { train: Conversation[]; validation: Conversation[] },
  parts: StageScope & TrainParts & { config: SftConfig },
): Promise<StageResult> {
  const { config, model, tokenizer, split, run, context } = parts;
  const length = config.contextLength || model.config.maxPositions;
  const { batchSize, seed, pack, overlong } = config;
  const open = (conversations: Conversation[], what: string) => {
    const batches = openSftBatches(conversations, tokenizer, {
      ...{ batchSize, length, seed, pack, overlong },
    });
    reportCuts(batches, { length, what }, context);
    return batches;
  };
  const source = open(data.train, "demonstrations");
  const validation =
    data.validation.length > 0
      ? await takeBatches(open(data.validation, "held-out demonstrations"), config.evalBatches)
      : [];
  const optimizer = optimizerFor(model.params, config);
  const steps = stepsOf(config, source.batchesPerEpoch);
  const task = lmTask({
    ...{ stage: "sft", model, optimizer, source, split, validation, tokenizer, run },
  });
  const figures = {
    steps,
    demonstrations: source.numConversations,
    cut: source.numCut,
    leftOut: source.numTooLong + source.numWithoutTarget,
    ...devicesFigure(config),
  };
  return trainToModel(task, { ...parts, steps, figures });
}

function reportCuts(
  { numCut, numTooLong, numWithoutTarget }: SftBatchSource,
  { length, what }: { length: number; what: string },
  { reporter }: StageContext,
): void {
  if (numCut > 0) {
    reporter.warn(
      `${numCut} ${what} are longer than ${length} tokens and were cut: no end is learnt`,
    );
  }
  if (numTooLong > 0) {
    reporter.warn(`${numTooLong} ${what} are longer than ${length} tokens: left out`);
  }
  if (numWithoutTarget > 0) {
    reporter.warn(`${numWithoutTarget} ${what} have no answer within ${length} tokens: left out`);
  }
}

async function readData(
  config: SftConfig,
  context: StageContext,
): Promise<{ train: Conversation[]; validation: Conversation[] }> {
  const read = async (paths: readonly string[]) => {
    const conversations: Conversation[] = [];
    const options = recordOptions(config, context);
    for await (const item of readConversations(paths, options)) conversations.push(item);
    if (conversations.length > 0) return conversations;
    throw new StagecraftError("invalid_argument", `no demonstration found in ${paths.join(", ")}`);
  };
  const all = await read(config.data);
  if (config.validationData.length > 0) {
    return { train: all, validation: await read(config.validationData) };
  }
  return holdOutPrompts(all, {
    fraction: config.validationFraction,
    keyOf: ({ messages }) => promptKey(messages),
    what: "demonstrations",
    reporter: context.reporter,
  });
}
