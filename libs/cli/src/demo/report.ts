import { readFile } from "node:fs/promises";
import { formatCount } from "@stagecraft/core";
import {
  bestOfNotes,
  type AlarmRow,
  type AnswerRecord,
  type Comparison,
  type Evaluation,
  type LossCurve,
  type PpoPoint,
  type ReportData,
  type RewardModelReport,
  type SampleRow,
  type StageRow,
} from "@stagecraft/eval";
import type { RankingReport } from "@stagecraft/learn";
import type { JudgedBar } from "../checks/bars.js";
import { exactFellNotes, GOLD_NOTE } from "./notes.js";
import type { StageRecord } from "@stagecraft/pipeline";
import type { MetricsRecord } from "../report/metrics-file.js";
import { figure } from "../report/result-text.js";

/** Everything the demo has to show, gathered from the stages' run directories. */
export interface DemoResults {
  title: string;
  stages: ReadonlyMap<string, StageRecord>;
  /** metrics.jsonl of every stage that wrote one. */
  metrics: ReadonlyMap<string, readonly MetricsRecord[]>;
  evaluation: Evaluation;
  /** Every model's answers to the held-out prompts. */
  answers: readonly AnswerRecord[];
  claims: readonly JudgedBar[];
}

/** How the models of the evaluation are called in the report. */
const MODEL_NAMES: Readonly<Record<string, string>> = { base: "base", sft: "SFT", ppo: "PPO" };

/** The report's data: what the table in the terminal, report.html and demo.json are made from. */
export async function buildReport(results: DemoResults): Promise<ReportData> {
  const { stages, metrics, evaluation, answers, claims } = results;
  return {
    title: results.title,
    lead: "A small assistant, trained from scratch in a small invented world: it read, was shown how to answer, had its answers ranked, and improved itself against that judgement.",
    createdAt: new Date().toISOString(),
    highlights: claims.map(({ name, value, passed, atLeast, atMost }) => ({
      label: name,
      value: figure(value),
      detail: [atLeast, atMost]
        .map((limit, i) =>
          limit === undefined ? "" : `${i === 0 ? "at least" : "at most"} ${limit}`,
        )
        .filter(Boolean)
        .join(", "),
      ok: passed,
    })),
    stages: [...stages].map(([id, record]) => stageRow(id, record, metrics.get(id))),
    lossCurves: ["pretrain", "sft"].map((stage) => lossCurve(stage, metrics.get(stage) ?? [])),
    ...(await rewardModelPart(results)),
    ppo: ppoPoints(metrics.get("ppo") ?? []),
    alarms: alarmRows(metrics.get("ppo") ?? []),
    comparison: withNotes(compare(evaluation, answers)),
    samples: chooseSamples(answers),
  };
}

/** What a stage did and what came out, in a few words; updates are counted from `records`. */
export function stageRow(
  id: string,
  { durationMs, result }: StageRecord,
  records: readonly MetricsRecord[] = [],
): StageRow {
  const metrics = { ...updateFigures(records, durationMs), ...result.metrics };
  const { tokensPerSecond, numTokens, steps, numParams } = metrics;
  const work = [
    numParams !== undefined && `${formatCount(numParams)} parameters`,
    steps !== undefined && `${steps} steps`,
    metrics["updates"] !== undefined && `${metrics["updates"]} updates`,
    numTokens !== undefined && `${formatCount(numTokens)} tokens`,
    metrics["documents"] !== undefined && `${metrics["documents"]} documents`,
    metrics["answers"] !== undefined && `${metrics["answers"]} answers`,
    metrics["rankings"] !== undefined && `${metrics["rankings"]} rankings`,
    metrics["vocabSize"] !== undefined && `${metrics["vocabSize"]} tokens in the vocabulary`,
  ].filter((part) => part !== false);
  const outcome = RESULT_FIGURES.filter(([name]) => metrics[name] !== undefined);
  return {
    name: id,
    durationMs,
    ...(tokensPerSecond !== undefined && { tokensPerSecond }),
    ...(work.length > 0 && { work: work.join(", ") }),
    ...(outcome.length > 0 && {
      result: outcome.map(([name, label]) => `${label} ${figure(metrics[name]!)}`).join(", "),
    }),
  };
}

/** A PPO stage's updates, and the tokens it sampled and learnt from in all its time. */
function updateFigures(
  records: readonly MetricsRecord[],
  durationMs: number,
): Record<string, number> {
  const updates = records.filter((record) => record["kind"] === "update");
  if (updates.length === 0) return {};
  const numTokens = updates.reduce((sum, record) => sum + Number(record["numTokens"]), 0);
  return { updates: updates.length, numTokens, tokensPerSecond: (1000 * numTokens) / durationMs };
}

const RESULT_FIGURES: readonly (readonly [metric: string, label: string])[] = [
  ["bestValidationLoss", "validation loss"],
  ["accuracy", "pair accuracy"],
  ["bestAccuracy", "best possible pair accuracy"],
  ["kl", "KL"],
  ["evalScore", "reward"],
  ["sftExact", "SFT exact match"],
  ["ppoWinRate", "PPO win rate"],
];

function lossCurve(stage: string, records: readonly MetricsRecord[]): LossCurve {
  const points = (kind: string, field: string) =>
    records
      .filter((record) => record["kind"] === kind && typeof record[field] === "number")
      .map((record) => ({ x: Number(record["step"]), y: Number(record[field]) }));
  return { stage, train: points("train", "loss"), validation: points("eval", "validationLoss") };
}

async function rewardModelPart({
  stages,
  metrics,
}: DemoResults): Promise<{ rewardModel?: RewardModelReport }> {
  const reward = stages.get("reward");
  if (!reward?.result.outputs["report"]) return {};
  const report = JSON.parse(
    await readFile(reward.result.outputs["report"], "utf8"),
  ) as RankingReport;
  const ceiling = stages.get("labelers")?.result.metrics["bestAccuracy"];
  const { accuracy, crossEntropy, calibrationError, calibration, numPairs } = report;
  const accuracyCurve = (metrics.get("reward") ?? [])
    .filter((record) => record["kind"] === "eval")
    .map((record) => ({ x: Number(record["step"]), y: Number(record["accuracy"]) }));
  const rewardModel = {
    accuracy,
    crossEntropy,
    calibrationError,
    calibration,
    numPairs,
    accuracyCurve,
  };
  return { rewardModel: ceiling === undefined ? rewardModel : { ...rewardModel, ceiling } };
}

function alarmRows(records: readonly MetricsRecord[]): AlarmRow[] {
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  return records
    .filter((record) => record["kind"] === "alarm")
    .map((record) => ({
      step: Number(record["step"]),
      message: text(record["message"]),
      meaning: text(record["meaning"]),
      advice: text(record["advice"]),
    }));
}

function ppoPoints(records: readonly MetricsRecord[]): PpoPoint[] {
  const updates = records.filter((record) => record["kind"] === "update");
  const number = (record: MetricsRecord, name: string) =>
    typeof record[name] === "number" ? record[name] : null;
  return updates.map((record) => ({
    step: Number(record["step"]),
    reward: number(record, "score"),
    gold: number(record, "score_gold"),
    kl: number(record, "kl"),
    klCoef: number(record, "klCoef"),
    responseLength: number(record, "responseLength"),
    entropy: number(record, "entropy"),
    eosRate: number(record, "eosRate"),
  }));
}

function compare({ models, winRates }: Evaluation, answers: readonly AnswerRecord[]): Comparison {
  const [first] = models;
  const kinds = Object.keys(first?.scores["gold"]?.byKind ?? {});
  const numPrompts = (of: readonly AnswerRecord[]) => new Set(of.map(({ id }) => id)).size;
  return {
    models: models.map(({ model }) => nameOf(model)),
    notes: bestOfNotes(models),
    kinds: kinds.map((kind) => ({
      kind,
      count: numPrompts(answers.filter((answer) => (answer.kind ?? "other") === kind)),
      exact: models.map(({ exact }) => exact.byKind[kind]?.rate),
      gold: models.map(({ scores }) => scores["gold"]?.byKind[kind]),
    })),
    overall: {
      kind: "all",
      count: numPrompts(answers),
      exact: models.map(({ exact }) => exact.overall.rate),
      gold: models.map(({ scores }) => scores["gold"]?.overall),
    },
    winRates: winRates
      .filter(({ scorer }) => scorer === "gold")
      .map(({ model, against, winRate }) => ({
        model: nameOf(model),
        against: nameOf(against),
        winRate,
      })),
  };
}

function withNotes(comparison: Comparison): Comparison {
  const { notes = [] } = comparison;
  return { ...comparison, notes: [GOLD_NOTE, ...exactFellNotes(comparison), ...notes] };
}

/** Two prompts of each kind: the first ones, so that nobody picked them by their answers. */
function chooseSamples(answers: readonly AnswerRecord[]): SampleRow[] {
  const byPrompt = new Map<string, AnswerRecord[]>();
  for (const answer of answers) {
    byPrompt.set(answer.id, [...(byPrompt.get(answer.id) ?? []), answer]);
  }
  const shown = new Map<string, number>();
  const rows: SampleRow[] = [];
  for (const [first, ...rest] of byPrompt.values()) {
    const kind = first!.kind ?? "other";
    const count = (shown.get(kind) ?? 0) + 1;
    shown.set(kind, count);
    if (count > 2) continue;
    rows.push({ kind, prompt: first!.prompt, answers: [first!, ...rest].map(sampleAnswer) });
  }
  return rows;
}

function sampleAnswer({
  model,
  answer,
  exact,
  scores,
}: AnswerRecord): SampleRow["answers"][number] {
  const { gold, reward } = scores;
  return {
    model: nameOf(model),
    text: answer,
    ...(exact !== undefined && { exact }),
    ...(gold !== undefined && { gold }),
    ...(reward !== undefined && { reward }),
  };
}

function nameOf(model: string): string {
  return MODEL_NAMES[model] ?? model;
}
