import { join } from "node:path";
import { atomicWriteFile, type TensorEntry } from "@stagecraft/checkpoint";
import { StagecraftError, throwIfAborted, type JsonObject } from "@stagecraft/core";
import {
  holdOut,
  readConversations,
  readRankings,
  type BadRecord,
  type Conversation,
  type Ranking,
} from "@stagecraft/data";
import { loadModel, modelFromTensors, saveModel, type Model } from "@stagecraft/model";
import { tf } from "@stagecraft/tensor";
import { loadTokenizer, type Tokenizer } from "@stagecraft/tokenizer";
import { z } from "zod";
import { createEpochSource } from "../batch/epoch-source.js";
import { loopOptionsFor, optimizerFor } from "../loop/optimization.js";
import { trainLoop, type TrainTask } from "../loop/train-loop.js";
import { answerReport } from "../reward/answer-report.js";
import { rankingReport, type RankingReport } from "../reward/ranking-metrics.js";
import { scoreSequences, type RewardItem } from "../reward/reward-batch.js";
import { referenceSequences, toRewardItem } from "../reward/reward-data.js";
import { promptWeight, rewardLoss } from "../reward/reward-loss.js";
import { withRun, type Run } from "../run/run.js";
import type { StageContext, StageDefinition, StageResult } from "../run/stage.js";
import { engineVersions, startEngine } from "./engine.js";
import { commonFields, optimizationFields, progressFields } from "./fields.js";
import { checkVocabulary, restoreBest } from "./language-model.js";
import { warnWithoutValidation } from "./sft.js";

const schema = z.strictObject({
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
  maxBadRecords: z.int().min(0).default(0).describe("Malformed records to skip before stopping"),
  objective: z
    .enum(["ranking", "classification", "regression"])
    .default("ranking")
    .describe("Rank K answers (K = 2: pairs), tell good from bad, or predict a 0–1 score"),
  centerCoef: z
    .number()
    .min(0)
    .default(0)
    .describe("Weight of (r_a + r_b)², which keeps scores near 0; .01 is usual"),
  contextLength: z
    .int()
    .min(0)
    .default(0)
    .describe("Longest sequence; longer ones lose their beginning; 0 = the model's positions"),
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

export type RewardConfig = z.infer<typeof schema>;

/** Trains a reward model on ranked answers: one number per (conversation, answer). */
export const rewardStage: StageDefinition<RewardConfig> = {
  name: "reward",
  summary: "train a reward model on ranked answers",
  schema,
  examples: [
    "npx stagecraft reward --model runs/sft/model --data rankings.jsonl --run runs/reward",
    "npx stagecraft reward --model runs/sft/model --keep-layers 2 --data rankings.jsonl --references demonstrations.jsonl --run runs/reward-small",
  ],
  async run(config, context) {
    const engine = await startEngine(config, context.reporter);
    const { keepCheckpoints } = config;
    const versions = engineVersions(engine);
    return withRun({ stage: "reward", config, context, keepCheckpoints, versions }, (run) =>
      reward(config, { run, context }),
    );
  },
};

interface Scope {
  run: Run;
  context: StageContext;
}

interface RewardData {
  train: RewardItem[];
  validation: RewardItem[];
  /** Sequences whose mean score is moved to 0. */
  references: Int32Array[];
}

async function reward(config: RewardConfig, scope: Scope): Promise<StageResult> {
  const tokenizer = await loadTokenizer(config.model);
  const model = await initialModel(config);
  try {
    checkVocabulary(model, tokenizer, config.model);
    const data = await readData(config, { model, tokenizer, context: scope.context });
    return await trainOn(data, { config, model, tokenizer, ...scope });
  } finally {
    model.dispose();
  }
}

type Parts = Scope & { config: RewardConfig; model: Model; tokenizer: Tokenizer };

async function trainOn(data: RewardData, parts: Parts): Promise<StageResult> {
  const { config, model, tokenizer, run, context } = parts;
  const optimizer = optimizerFor(model.params, config);
  const source = createEpochSource({
    items: data.train,
    batchSize: config.batchSize,
    seed: config.seed,
    toBatch: (items) => items,
  });
  const task: TrainTask<RewardItem[]> = {
    stage: "reward",
    params: model.params,
    optimizer,
    source,
    weight: (items) => items.reduce((n, item) => n + promptWeight(item, config.objective), 0),
    numTokens: (items) =>
      items.reduce((n, { sequences }) => n + sequences.reduce((m, ids) => m + ids.length, 0), 0),
    loss: (items, denominator) => rewardLoss(model, items, { ...config, denominator }),
  };
  if (data.validation.length > 0) {
    task.evaluate = (signal) => Promise.resolve(evaluate(model, data.validation, signal).figures);
    task.best = {
      metric: config.objective === "ranking" ? "crossEntropy" : "targetCrossEntropy",
      goal: "min",
      save: () => saveModel(run.bestDir, model, { tokenizerFiles: tokenizer.files() }),
    };
  }
  const perStep = source.batchesPerEpoch / config.accumulationSteps;
  const steps = Math.max(1, Math.ceil(config.epochs * perStep));
  const result = await trainLoop(task, loopOptionsFor(config, steps), { run, context });
  optimizer.dispose();
  if (config.selectModel === "best" && result.best) await restoreBest(run, model);
  return finish(data, parts, { tokensPerSecond: result.tokensPerSecond, steps });
}

async function finish(
  data: RewardData,
  { config, model, tokenizer, run, context }: Parts,
  more: Record<string, number>,
): Promise<StageResult> {
  const calibration = shiftToReferences(model, data.references);
  const extra: JsonObject = { rewardModel: { objective: config.objective, ...calibration } };
  const judged =
    data.validation.length > 0
      ? evaluate(model, data.validation, context.signal)
      : { figures: {}, report: {} };
  const report = { ...judged.report, ...calibration };
  const record = { stage: "reward", kind: "report", ...report } as unknown as JsonObject;
  run.metrics.write(record);
  context.reporter.metrics(record);
  const reportFile = join(run.dir, "reward-report.json");
  await atomicWriteFile(reportFile, `${JSON.stringify(report, null, 2)}\n`);
  await saveModel(run.modelDir, model, { tokenizerFiles: tokenizer.files(), extra });
  return {
    modelDir: run.modelDir,
    outputs: { report: reportFile },
    metrics: {
      ...judged.figures,
      referenceStd: calibration.std,
      prompts: data.train.length,
      numParams: model.numParams,
      ...more,
    },
  };
}

/**
 * Moves the score head's bias so that the mean score of the references is 0 [IG, N+]; returns the
 * mean (now 0) and standard deviation that are stored with the model.
 */
export function shiftToReferences(
  model: Model,
  references: readonly Int32Array[],
): { mean: number; std: number; numReferences: number } {
  const scores = scoreSequences(model, references);
  const n = Math.max(1, scores.length);
  const mean = scores.reduce((sum, score) => sum + score, 0) / n;
  const variance = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / n;
  const bias = model.params.get("score.bias")!;
  const shifted = tf.tidy(() => bias.sub(mean));
  bias.assign(shifted);
  shifted.dispose();
  return { mean: 0, std: Math.sqrt(variance), numReferences: references.length };
}

/** Figures for metrics.jsonl and the full report with its curves. */
function evaluate(
  model: Model,
  items: readonly RewardItem[],
  signal: AbortSignal,
): { figures: Record<string, number>; report: RankingReport } {
  throwIfAborted(signal);
  const scores = Array.from(
    scoreSequences(
      model,
      items.flatMap(({ sequences }) => sequences),
    ),
  );
  let offset = 0;
  const report = rankingReport(
    items.map(({ ranks, lengths }) => ({
      ranks,
      lengths,
      scores: scores.slice(offset, (offset += ranks.length)),
    })),
  );
  const { accuracy, crossEntropy, calibrationError, lengthCorrelation, numPairs } = report;
  const targets = items.flatMap((item) => item.targets);
  return {
    figures: {
      accuracy,
      crossEntropy,
      calibrationError,
      lengthCorrelation,
      numPairs,
      accuracyShorterWins: report.byLength.shorterWins,
      accuracyLongerWins: report.byLength.longerWins,
      ...answerReport(scores, targets),
    },
    report,
  };
}

/** The starting model with a score head, cut to `keepLayers` layers. */
async function initialModel(config: RewardConfig): Promise<Model> {
  const { keepLayers, seed } = config;
  const full = await loadModel(config.model, { heads: ["score"], seed });
  if (keepLayers === 0 || keepLayers >= full.config.numLayers) return full;
  const kept = new Map<string, TensorEntry>();
  for (const [name, entry] of full.tensors()) {
    const layer = /\.(?:layers|h)\.(\d+)\./.exec(name);
    if (!layer || Number(layer[1]) < keepLayers) kept.set(name, entry);
  }
  const small = { ...full.config, numLayers: keepLayers };
  full.dispose();
  return modelFromTensors(small, kept, { heads: ["score"], seed });
}

async function readData(
  config: RewardConfig,
  { model, tokenizer, context }: { model: Model; tokenizer: Tokenizer; context: StageContext },
): Promise<RewardData> {
  const onBadRecord = (bad: BadRecord) => context.reporter.warn(bad.message);
  const { signal } = context;
  const { maxBadRecords, objective } = config;
  const maxLength = config.contextLength || model.config.maxPositions;
  const options = { tokenizer, objective, maxLength };
  const read = async (paths: readonly string[]) => {
    const rankings: Ranking[] = [];
    for await (const ranking of readRankings(paths, { maxBadRecords, onBadRecord, signal })) {
      rankings.push(ranking);
    }
    return rankings;
  };
  const all = await read(config.data);
  if (all.length === 0) {
    throw new StagecraftError("invalid_argument", `no ranking found in ${config.data.join(", ")}`);
  }
  const { train, validation } =
    config.validationData.length > 0
      ? { train: all, validation: await read(config.validationData) }
      : // One prompt stays on one side, whoever ranked it.
        holdOut(all, config.validationFraction, ({ prompt }) => JSON.stringify(prompt));
  warnWithoutValidation(validation, config, context);
  const demonstrations: Conversation[] = [];
  if (config.references.length > 0) {
    const found = readConversations(config.references, { maxBadRecords, onBadRecord, signal });
    for await (const conversation of found) demonstrations.push(conversation);
  }
  const references = referenceSequences(demonstrations, options);
  const items = train.map((ranking) => toRewardItem(ranking, options));
  return {
    train: items,
    validation: validation.map((ranking) => toRewardItem(ranking, options)),
    references: references.length > 0 ? references : items.flatMap(({ sequences }) => sequences),
  };
}
