import { formatCount } from "@stagecraft/core";
import type { StageRow } from "../page/report-data.js";
import type { RunData } from "./read-run.js";
import { durationOf, tokensOf } from "./verdict.js";

const RESULT_FIGURES: readonly (readonly [metric: string, label: string])[] = [
  ["bestValidationLoss", "validation loss"],
  ["accuracy", "pair accuracy"],
  ["bestAccuracy", "best possible pair accuracy"],
  ["kl", "KL"],
  ["evalScore", "reward"],
  ["sftExact", "SFT exact match"],
  ["ppoWinRate", "PPO win rate"],
];

/** What a run did and what came out, in a few words. */
export function stageRow(run: RunData): StageRow {
  const result = run.result?.metrics ?? {};
  const durationMs = durationOf(run);
  const numUpdates = run.metrics.records.filter(({ kind }) => kind === "update").length;
  const numTokens = tokensOf(run);
  const tokensPerSecond =
    numUpdates > 0 && numTokens !== undefined && durationMs
      ? (1000 * numTokens) / durationMs
      : result["tokensPerSecond"];
  const { numParams, steps, documents, answers, rankings, vocabSize } = result;
  const work = [
    numParams !== undefined && `${formatCount(numParams)} parameters`,
    steps !== undefined && `${steps} steps`,
    numUpdates > 0 && `${numUpdates} updates`,
    numTokens !== undefined && `${formatCount(numTokens)} tokens`,
    documents !== undefined && `${documents} documents`,
    answers !== undefined && `${answers} answers`,
    rankings !== undefined && `${rankings} rankings`,
    vocabSize !== undefined && `${vocabSize} tokens in the vocabulary`,
  ].filter((part) => part !== false);
  const outcome = RESULT_FIGURES.filter(([name]) => result[name] !== undefined);
  return {
    name: run.name,
    ...(durationMs !== undefined && { durationMs }),
    ...(run.state !== "succeeded" && { state: run.state }),
    ...(tokensPerSecond !== undefined && { tokensPerSecond }),
    ...(work.length > 0 && { work: work.join(", ") }),
    ...(outcome.length > 0 && {
      result: outcome.map(([name, label]) => `${label} ${figure(result[name]!)}`).join(", "),
    }),
  };
}

function figure(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}
