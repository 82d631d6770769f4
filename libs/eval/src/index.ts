export { bitsPerByte } from "./bits-per-byte.js";
export {
  countMatches,
  isExactMatch,
  normalizeAnswer,
  type MatchCount,
  type NormalizeOptions,
} from "./exact-match.js";
export { wilsonInterval, winRate, type WinRate } from "./win-rate.js";
export { renderTextTable, type TextColumn, type TextTableOptions } from "./text-table.js";
export { renderReport } from "./report/render-report.js";
export type * from "./report/report-data.js";
export type { Point } from "./report/line-chart.js";
export {
  createEvaluateStage,
  evaluateStage,
  type EvaluateDependencies,
} from "./stage/evaluate-stage.js";
export { type AnswerRecord, type AnswerScorer, type AnswerScorers } from "./stage/answer-record.js";
export { evaluateSchema, parseModel, type EvaluateConfig } from "./stage/config.js";
export {
  bestOfKl,
  bestOfNotes,
  summarise,
  type Evaluation,
  type ModelFigures,
} from "./stage/summarise.js";
export { loadRewardScorer, type RewardScorer } from "./stage/reward-scorer.js";
export { renderRollouts } from "./rollout/rollout-page.js";
export { rolloutText } from "./rollout/rollout-text.js";
export type { RolloutToken, RolloutToShow } from "./rollout/rollout-data.js";
