import type { TensorEntry } from "@stagecraft/checkpoint";
import { deriveSeed, present, throwIfAborted } from "@stagecraft/core";
import { openItemBatches } from "@stagecraft/data";
import {
  HEAD_NAMES,
  loadModel,
  loadModelToTeach,
  modelFromTensors,
  saveModel,
  type Model,
} from "@stagecraft/model";
import {
  optimizerFor,
  type Run,
  type StageContext,
  type TrainTask,
  withLora,
  withRun,
  writtenAs,
} from "@stagecraft/runs";
import type { Tokenizer } from "@stagecraft/tokenizer";
import { join } from "node:path";
import { answerReport } from "../reward/answer-report.js";
import { scoreSequences, type RewardItem } from "../reward/reward-batch.js";
import { promptWeight, rewardLoss } from "../reward/reward-loss.js";
import { rankingReport, type RankingReport } from "../reward/ranking-metrics.js";
import { stepsOf, trainModel } from "./train-model.js";
import { rewardSchema, type RewardConfig } from "./reward-config.js";

/** What every member of an ensemble learns from, in its own order. */
export interface RewardData {
  train: RewardItem[];
  validation: RewardItem[];
  /** Sequences whose mean score and spread are noted with the model. */
  references: Int32Array[];
}

export interface RewardScope {
  config: RewardConfig;
  data: RewardData;
  tokenizer: Tokenizer;
  run: Run;
  context: StageContext;
}

/** A trained member, the caller's to dispose, and how training it went. */
export interface TrainedMember {
  model: Model;
  figures: Record<string, number>;
}

/**
 * Trains the members one after the other. A single one uses the stage's own run directory; those of
 * an ensemble have theirs in `members/`, so that a resumed run skips the finished ones.
 */
export async function trainMembers(scope: RewardScope): Promise<TrainedMember[]> {
  const { config } = scope;
  if (config.ensemble === 1) return [await trainMember(scope)];
  const members: TrainedMember[] = [];
  try {
    for (let index = 0; index < config.ensemble; index++) {
      members.push(await memberInOwnRun(index, scope));
    }
  } catch (thrown) {
    for (const { model } of members) model.dispose();
    throw thrown;
  }
  return members;
}

const MEMBER = { name: "reward-member", schema: rewardSchema };

async function memberInOwnRun(index: number, scope: RewardScope): Promise<TrainedMember> {
  const { config, run, context, tokenizer } = scope;
  // The first is the model that would be trained alone.
  const seed = index === 0 ? config.seed : deriveSeed(config.seed, "member", index) >>> 1;
  const memberConfig = { ...config, ensemble: 1, seed };
  const memberContext = memberScope(index, { config, run, context });
  const { modelDir, metrics } = await withRun(
    { stage: MEMBER, config: memberConfig, context: memberContext },
    async (memberRun) => {
      const parts = { ...scope, config: memberConfig, run: memberRun, context: memberContext };
      const { model, figures } = await trainMember(parts);
      const files = { tokenizerFiles: tokenizer.files() };
      await saveModel(memberRun.modelDir, model, { ...files, ...writtenAs(config, model) });
      model.dispose();
      return { modelDir: memberRun.modelDir, outputs: {}, metrics: figures };
    },
  );
  return { model: await loadModel(modelDir!, { heads: ["score"] }), figures: metrics };
}

function memberScope(
  index: number,
  { config, run, context }: Pick<RewardScope, "config" | "run" | "context">,
): StageContext {
  const stage = `reward ${index + 1}/${config.ensemble}`;
  return {
    ...context,
    runDir: join(run.dir, "members", String(index + 1)),
    reporter: {
      ...context.reporter,
      progress: (progress) => context.reporter.progress({ ...progress, stage }),
      metrics: (record) => context.reporter.metrics({ ...record, member: index + 1 }),
    },
  };
}

async function trainMember(scope: RewardScope): Promise<TrainedMember> {
  const { config } = scope;
  const model = withLora(await initialModel(config, scope.tokenizer), config, config.seed);
  const optimizer = optimizerFor(model.params, config);
  try {
    const task = rewardTask(scope, { model, optimizer });
    const steps = stepsOf(config, task.source.batchesPerEpoch);
    const { tokensPerSecond } = await trainModel(task, { ...scope, steps, model });
    return { model, figures: { tokensPerSecond, steps } };
  } catch (thrown) {
    model.dispose();
    throw thrown;
  }
}

function rewardTask(
  { config, data, tokenizer, run }: RewardScope,
  { model, optimizer }: { model: Model; optimizer: ReturnType<typeof optimizerFor> },
) {
  const source = openItemBatches(data.train, config);
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
    task.evaluate = (signal) => Promise.resolve(evaluateMember(model, data.validation, signal));
    task.best = {
      metric: config.objective === "ranking" ? "crossEntropy" : "targetCrossEntropy",
      goal: "min",
      save: () => saveModel(run.bestDir, model, { tokenizerFiles: tokenizer.files() }),
    };
  }
  return { ...task, source };
}

function evaluateMember(
  model: Model,
  items: readonly RewardItem[],
  signal: AbortSignal,
): Record<string, number> {
  throwIfAborted(signal);
  const sequences = items.flatMap((item) => item.sequences);
  return judgeScores(Array.from(scoreSequences(model, sequences)), items).figures;
}

/** Figures for metrics.jsonl and the full report with its curves; scores in the order of the items. */
export function judgeScores(
  scores: readonly number[],
  items: readonly RewardItem[],
): { figures: Record<string, number>; report: RankingReport } {
  let offset = 0;
  const report = rankingReport(
    items.map(({ ranks, pairs, lengths }) => ({
      ...{ ranks, pairs, lengths },
      scores: scores.slice(offset, (offset += ranks.length)),
    })),
  );
  const { accuracy, crossEntropy, calibrationError, lengthCorrelation, numPairs } = report;
  const targets = items.flatMap((item) => item.targets);
  const figures = present({
    accuracy,
    crossEntropy,
    calibrationError,
    lengthCorrelation,
    numPairs,
    accuracyShorterWins: report.byLength.shorterWins,
    accuracyLongerWins: report.byLength.longerWins,
    ...answerReport(scores, targets),
  }) as Record<string, number>;
  return { figures, report };
}

/** Mean and biased standard deviation; 0 of nothing. */
export function momentsOf(values: ArrayLike<number>): { mean: number; std: number } {
  const n = Math.max(1, values.length);
  const list = Array.from(values);
  const mean = list.reduce((sum, value) => sum + value, 0) / n;
  const variance = list.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n;
  return { mean, std: Math.sqrt(variance) };
}

/** The starting model with a score head without bias, cut to `keepLayers` layers. */
async function initialModel(config: RewardConfig, tokenizer: Tokenizer): Promise<Model> {
  const { model, keepLayers, seed, loraRank } = config;
  const full = await loadModelToTeach(model, { tokenizer, loraRank, heads: ["score"], seed });
  const numLayers = Math.min(keepLayers || Infinity, full.config.numLayers);
  const whole = numLayers === full.config.numLayers;
  if (whole && !full.params.has(HEAD_NAMES.score.bias)) return full;
  const kept = new Map<string, TensorEntry>();
  for (const [name, entry] of full.tensors()) {
    const layer = /\.(?:layers|h)\.(\d+)\./.exec(name);
    const inside = !layer || Number(layer[1]) < numLayers;
    // The score is trained anew, and other tools read it without a bias.
    if (inside && name !== HEAD_NAMES.score.bias) kept.set(name, entry);
  }
  const small = { ...full.config, numLayers };
  full.dispose();
  return modelFromTensors(small, kept, { heads: ["score"], dtype: full.dtype, seed });
}
