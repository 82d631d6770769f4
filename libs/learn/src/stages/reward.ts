import { join } from "node:path";
import { atomicWriteFile } from "@stagecraft/checkpoint";
import { StagecraftError, type JsonObject } from "@stagecraft/core";
import { readConversations, type Conversation, type Ranking } from "@stagecraft/data";
import { readModelInfo, type Model } from "@stagecraft/model";
import {
  recordOptions,
  contextProblems,
  dataInputs,
  defineStage,
  modelFacts,
  modelInputs,
  type StageContext,
  type StageResult,
  type StageScope,
  writtenAs,
} from "@stagecraft/runs";
import { chatTemplateFile, loadChatTokenizer, type Tokenizer } from "@stagecraft/tokenizer";
import { ensembleReport, type EnsembleReport } from "../reward/ensemble-report.js";
import { raterAgreement, type RaterAgreement } from "../reward/rater-agreement.js";
import type { RankingReport } from "../reward/ranking-metrics.js";
import { scoreSequences } from "../reward/reward-batch.js";
import { referenceSequences, toRewardItem } from "../reward/reward-data.js";
import { combineScores, saveRewardModel } from "../reward/reward-model.js";
import {
  checkSomethingToLearn,
  usableRankings,
  warnWithoutJudgement,
} from "../reward/usable-rankings.js";
import { readRankingFiles } from "./ranking-files.js";
import { rewardSchema, type RewardConfig } from "./reward-config.js";
import {
  judgeScores,
  momentsOf,
  trainMembers,
  type RewardData,
  type TrainedMember,
} from "./reward-member.js";

/** reward-report.json: the held-out judgement, calibration, and where there are any, ensemble and raters. */
export interface RewardReport extends Partial<RankingReport> {
  /** Of the reference answers' scores. */
  mean: number;
  std: number;
  numReferences: number;
  ensemble?: EnsembleReport;
  raterAgreement?: RaterAgreement;
}

/** Trains a reward model on ranked answers: one number per (conversation, answer). */
export const rewardStage = defineStage<RewardConfig>({
  name: "reward",
  summary: "train a reward model on ranked answers",
  schema: rewardSchema,
  examples: [
    "npx stagecraft reward --model runs/sft/model --data rankings.jsonl --run runs/reward",
    "npx stagecraft reward --model runs/sft/model --keep-layers 2 --data rankings.jsonl --references demonstrations.jsonl --run runs/reward-small",
    "npx stagecraft reward --model runs/sft/model --data rankings.jsonl --ensemble 3 --run runs/reward-ensemble",
  ],
  inputs: ({ model, data, validationData, references, ...chosen }) => [
    ...modelInputs({ model }),
    ...dataInputs({ data, validationData, references, chatTemplate: chatTemplateFile(chosen) }),
  ],
  problems: ({ contextLength, model }, ahead) => contextProblems(contextLength, [model], ahead),
  outputs: async ({ model }, ahead) => ({
    model: { ...(await modelFacts(model, ahead)), heads: ["score"] },
    report: {},
  }),
  leaves: { "reward-report.json": "scratch", members: "runs" },
  work: reward,
});

type Agreement = RaterAgreement | undefined;

async function reward(config: RewardConfig, { run, context }: StageScope): Promise<StageResult> {
  const tokenizer = await loadChatTokenizer(config.model, config);
  const { config: modelConfig } = await readModelInfo(config.model);
  const maxLength = config.contextLength || modelConfig.maxPositions;
  const { data, agreement } = await readData(config, { tokenizer, maxLength, context });
  const members = await trainMembers({ config, data, tokenizer, run, context });
  try {
    return await finish(members, { config, data, agreement, tokenizer, run, context });
  } finally {
    for (const { model } of members) model.dispose();
  }
}

type FinishParts = StageScope & {
  config: RewardConfig;
  data: RewardData;
  agreement: Agreement;
  tokenizer: Tokenizer;
};

async function finish(members: readonly TrainedMember[], parts: FinishParts): Promise<StageResult> {
  const { config, data, tokenizer, run, context } = parts;
  const models = members.map(({ model }) => model);
  const calibration = calibrate(models, data.references);
  const { figures, report } = judge(models, data, calibration.memberMeans);
  const { agreement: rated } = parts;
  const full: RewardReport = {
    ...report,
    ...calibration,
    ...(rated === undefined ? {} : { raterAgreement: rated }),
  };
  const record = { stage: "reward", kind: "report", ...full } as unknown as JsonObject;
  run.metrics.write(record);
  context.reporter.metrics(record);
  const reportFile = join(run.dir, "reward-report.json");
  await atomicWriteFile(reportFile, `${JSON.stringify(full, null, 2)}\n`);
  const description = { objective: config.objective, ...calibration };
  const files = { tokenizerFiles: tokenizer.files() };
  const written = writtenAs(config, models[0]!);
  await saveRewardModel(run.modelDir, models, { ...files, ...written, description });
  return {
    modelDir: run.modelDir,
    outputs: { report: reportFile },
    metrics: {
      ...figures,
      ...(rated?.pairAgreement !== undefined && { raterAgreement: rated.pairAgreement }),
      referenceStd: calibration.std,
      prompts: data.train.length,
      numParams: models.reduce((sum, { numParams }) => sum + numParams, 0),
      ...members.at(-1)!.figures,
    },
  };
}

/**
 * Where the scores of the references lie. Nothing is moved there: the exported head has no bias, PPO
 * subtracts the mean. Members are noted apart, since their scores have zeros of their own.
 */
function calibrate(models: readonly Model[], references: readonly Int32Array[]) {
  const scores = models.map((model) => scoreSequences(model, references));
  const { mean, std } = momentsOf(combineScores(scores).map((score) => score.mean));
  const memberMeans = scores.map((member) => momentsOf(member).mean);
  const numReferences = references.length;
  return { mean, std, numReferences, ...(models.length > 1 ? { memberMeans } : {}) };
}

function judge(
  models: readonly Model[],
  { validation }: RewardData,
  memberMeans: readonly number[] = [0],
): { figures: Record<string, number>; report: Partial<RewardReport> } {
  if (validation.length === 0) return { figures: {}, report: {} };
  const sequences = validation.flatMap((item) => item.sequences);
  const scores = models.map((model) => Array.from(scoreSequences(model, sequences)));
  const means = combineScores(scores).map(({ mean }) => mean);
  const { figures, report } = judgeScores(means, validation);
  if (models.length === 1) return { figures, report };
  const fromZero = scores.map((own, m) => own.map((score) => score - memberMeans[m]!));
  const ensemble = ensembleReport(fromZero, validation);
  return {
    figures: {
      ...figures,
      ...(ensemble.disagreement !== undefined && { disagreement: ensemble.disagreement }),
    },
    report: { ...report, ensemble },
  };
}

interface ReadScope {
  tokenizer: Tokenizer;
  maxLength: number;
  context: StageContext;
}

async function readData(
  config: RewardConfig,
  { context, ...lengths }: ReadScope,
): Promise<{ data: RewardData; agreement: Agreement }> {
  const { train, validation } = await readRankingFiles(config, context);
  const { objective, overlong, ratingMin: min, ratingMax: max } = config;
  if (min >= max) {
    const reason = `ratingMin ${min} must be below ratingMax ${max}`;
    throw new StagecraftError("invalid_argument", reason, { details: { field: "ratingMin" } });
  }
  const options = { ...lengths, objective, ratings: { min, max } };
  const { reporter } = context;
  const usable = (rankings: readonly Ranking[], what: string) =>
    usableRankings(rankings, (ranking) => toRewardItem(ranking, options), {
      ...{ maxLength: lengths.maxLength, overlong, what, reporter },
      needsPairs: objective === "ranking",
    });
  const demonstrations = await readDemonstrations(config, context);
  const references = referenceSequences(demonstrations, options);
  const { items, tied } = usable(train, "rankings");
  checkSomethingToLearn(items, train);
  const heldOut = usable(validation, "held-out rankings").items;
  warnWithoutJudgement(heldOut, validation, context);
  const data = {
    train: items,
    validation: heldOut,
    references:
      references.length > 0
        ? references
        : [...items, ...tied].flatMap(({ sequences }) => sequences),
  };
  return { data, agreement: raterAgreement([...train, ...validation]) };
}

async function readDemonstrations(
  { references, maxBadRecords }: RewardConfig,
  context: StageContext,
): Promise<Conversation[]> {
  if (references.length === 0) return [];
  // The format and the columns are those of the rankings.
  const options = recordOptions({ maxBadRecords, format: "auto", columns: [] }, context);
  const demonstrations: Conversation[] = [];
  const found = readConversations(references, options);
  for await (const conversation of found) demonstrations.push(conversation);
  return demonstrations;
}
