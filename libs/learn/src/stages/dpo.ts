import { meanOf, present, StagecraftError, throwIfAborted } from "@stagecraft/core";
import { openItemBatches, type Ranking } from "@stagecraft/data";
import { loadModelToTeach, saveModel, type Model } from "@stagecraft/model";
import {
  recordFields,
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
  type StageResult,
  type StageScope,
  type TrainTask,
  withLora,
  writtenModelFields,
} from "@stagecraft/runs";
import { tf } from "@stagecraft/tensor";
import {
  chatTemplateFile,
  loadChatTokenizer,
  loadTokenizer,
  type Tokenizer,
} from "@stagecraft/tokenizer";
import { decimal, text, texts } from "@stagecraft/fields";
import { z } from "zod";
import {
  answerLogProbs,
  measureLogProbs,
  numTokensOf,
  toDpoItem,
  type DpoItem,
} from "../dpo/dpo-batch.js";
import { padded } from "../batch/pack.js";
import { dpoLoss, dpoLossTensor } from "../dpo/dpo-loss.js";
import { pairsOf } from "../reward/ranking-loss.js";
import { rankingReport } from "../reward/ranking-metrics.js";
import {
  checkSomethingToLearn,
  usableRankings,
  warnWithoutJudgement,
} from "../reward/usable-rankings.js";
import { heldOutFields, rankingBatchFields, selectModelField } from "./fields.js";
import { readRankingFiles } from "./ranking-files.js";
import { stepsOf, trainToModel } from "./train-model.js";

const schema = z.strictObject({
  model: text().describe("Model directory to start from, normally the SFT model"),
  reference: text("").describe("Model directory of the frozen reference; empty = the start model"),
  data: texts().describe("JSONL files of ranked answers"),
  ...heldOutFields("rankings", 0.1),
  ...recordFields("rankings"),
  beta: decimal({ above: 0, max: 100, default: 0.1 }).describe(
    "β, the price of a nat away from the reference",
  ),
  labelSmoothing: decimal({ max: 0.49, default: 0 }).describe(
    "Share of pairs that raters are thought to have the wrong way round",
  ),
  ...chatFields,
  ...rankingBatchFields(16),
  selectModel: selectModelField("held-out loss"),
  ...loraFields("the model"),
  ...optimizationFields({ learningRate: 1e-4, warmupSteps: 10, weightDecay: 0 }),
  ...progressFields,
  logEvery: progressFields.logEvery.default(1),
  evalEvery: progressFields.evalEvery.default(20),
  ...writtenModelFields,
  ...commonFields,
});

export type DpoConfig = z.infer<typeof schema>;

/** Direct Preference Optimization: improves a model on ranked answers without a reward model. */
export const dpoStage = defineStage<DpoConfig>({
  name: "dpo",
  summary: "improve a model on ranked answers directly, without reward model or sampling",
  schema,
  examples: [
    "npx stagecraft dpo --model runs/sft/model --data rankings.jsonl --run runs/dpo",
    "npx stagecraft dpo --model runs/sft/model --data rankings.jsonl --beta 0.3 --label-smoothing 0.1 --run runs/dpo-smooth",
  ],
  inputs: ({ model, reference, data, validationData, ...chosen }) => [
    ...modelInputs({ model, reference }),
    ...dataInputs({ data, validationData, chatTemplate: chatTemplateFile(chosen) }),
  ],
  problems: ({ contextLength, model, reference }, ahead) =>
    contextProblems(contextLength, [model, ...(reference ? [reference] : [])], ahead),
  outputs: async ({ model }, ahead) => ({ model: await modelFacts(model, ahead) }),
  work: dpo,
});

interface DpoData {
  train: DpoItem[];
  validation: DpoItem[];
}

async function dpo(config: DpoConfig, scope: StageScope): Promise<StageResult> {
  const tokenizer = await loadChatTokenizer(config.model, config);
  const { loraRank } = config;
  const start = await loadModelToTeach(config.model, { tokenizer, loraRank, heads: ["lm"] });
  const model = withLora(start, config, config.seed);
  try {
    const maxLength = config.contextLength || model.config.maxPositions;
    const rankings = await readRankingFiles(config, scope.context);
    const usable = (some: readonly Ranking[], what: string) =>
      usableRankings(some, (ranking) => toDpoItem(ranking, { tokenizer, maxLength }), {
        ...{ maxLength, overlong: config.overlong, needsPairs: true, what },
        reporter: scope.context.reporter,
      }).items;
    const train = usable(rankings.train, "rankings");
    checkSomethingToLearn(train, rankings.train);
    const validation = usable(rankings.validation, "held-out rankings");
    warnWithoutJudgement(validation, rankings.validation, scope.context);
    const data = { train, validation };
    await addReference(data, { start: model, tokenizer, config });
    return await trainOn(data, { config, model, tokenizer, ...scope });
  } finally {
    model.dispose();
  }
}

/** Fills in log π_ref once; with the start model as reference, before training or resuming moves it. */
async function addReference(
  data: DpoData,
  { start, tokenizer, config }: { start: Model; tokenizer: Tokenizer; config: DpoConfig },
): Promise<void> {
  const { reference } = config;
  if (reference !== "") await checkReference(reference, config.model);
  const model =
    reference === "" ? start : await loadModelToTeach(reference, { tokenizer, heads: ["lm"] });
  try {
    const items = [...data.train, ...data.validation];
    const measured = measureLogProbs(model, items);
    items.forEach((item, i) => (item.refLogProbs = measured[i]!));
  } finally {
    if (model !== start) model.dispose();
  }
}

/** A reference with other tokens, or with fewer, would be asked for tokens that nobody taught it. */
async function checkReference(reference: string, start: string): Promise<void> {
  const [own, other] = [await loadTokenizer(start), await loadTokenizer(reference)];
  if (own.fingerprint === other.fingerprint) return;
  throw new StagecraftError(
    "failed_precondition",
    `the reference ${reference} has another tokenizer than ${start}; give one that shares it, or none for the start model`,
    { details: { field: "reference" } },
  );
}

type Parts = StageScope & { config: DpoConfig; model: Model; tokenizer: Tokenizer };

async function trainOn(data: DpoData, parts: Parts): Promise<StageResult> {
  const { config, model, tokenizer, run } = parts;
  const optimizer = optimizerFor(model.params, config);
  const source = openItemBatches(data.train, config);
  const task: TrainTask<DpoItem[]> = {
    stage: "dpo",
    params: model.params,
    optimizer,
    source,
    weight: (items) => items.filter((item) => pairsOf(item).length > 0).length,
    numTokens: (items) => items.reduce((sum, item) => sum + numTokensOf(item), 0),
    loss: (items, denominator) => lossOf(model, items, { ...config, denominator }),
  };
  if (data.validation.length > 0) {
    task.evaluate = (signal) => Promise.resolve(evaluate(data.validation, { ...parts, signal }));
    task.best = {
      metric: "validationLoss",
      goal: "min",
      save: () => saveModel(run.bestDir, model, { tokenizerFiles: tokenizer.files() }),
    };
  }
  const steps = stepsOf(config, source.batchesPerEpoch);
  const figures = { prompts: data.train.length, steps };
  return trainToModel(task, { ...parts, steps, figures });
}

function lossOf(
  model: Model,
  items: readonly DpoItem[],
  options: { beta: number; labelSmoothing: number; denominator: number },
): tf.Scalar {
  return tf.tidy(() => {
    const reference = tf.tensor1d(padded(items.flatMap(({ refLogProbs }) => refLogProbs)));
    const logRatios = tf.sub<tf.Tensor1D>(answerLogProbs(model, items), reference); // [Σ K]
    return tf.div(dpoLossTensor(logRatios, items, options), options.denominator);
  });
}

/** Held-out figures; rewards are the implicit ones, β·(log π − log π_ref). */
function evaluate(
  items: readonly DpoItem[],
  { model, config, signal }: Pick<Parts, "model" | "config"> & { signal: AbortSignal },
): Record<string, number> {
  throwIfAborted(signal);
  const logProbs = measureLogProbs(model, items);
  const ratios = items.map(({ refLogProbs }, i) =>
    logProbs[i]!.map((value, answer) => value - refLogProbs[answer]!),
  );
  const scored = items.map(({ ranks, pairs, answerLengths }, i) => ({
    ...{ ranks, pairs },
    lengths: answerLengths,
    scores: ratios[i]!.map((ratio) => config.beta * ratio),
  }));
  const { accuracy, calibrationError, lengthCorrelation, numPairs } = rankingReport(scored);
  const pairs = scored.flatMap((ranking) => {
    const { scores } = ranking;
    return pairsOf(ranking).map(({ winner, loser }) => [scores[winner]!, scores[loser]!] as const);
  });
  const losses = items.flatMap((item, i) => {
    const options = { ...config, pairs: pairsOf(item) };
    return options.pairs.length > 0 ? [dpoLoss(ratios[i]!, item.ranks, options).loss] : [];
  });
  return present({
    validationLoss: meanOf(losses),
    accuracy,
    margin: meanOf(pairs.map(([won, lost]) => won - lost)),
    chosenReward: meanOf(pairs.map(([won]) => won)),
    rejectedReward: meanOf(pairs.map(([, lost]) => lost)),
    calibrationError,
    lengthCorrelation,
    numPairs,
  }) as Record<string, number>;
}
