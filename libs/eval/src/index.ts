export { bitsPerByte } from "./bits-per-byte.js";
export {
  countMatches,
  isExactMatch,
  type MatchCount,
  type NormalizeOptions,
} from "./exact-match.js";
export { winRate, type WinRate } from "./win-rate.js";
export {
  createEvaluateStage,
  evaluateStage,
  type EvaluateDependencies,
} from "./stage/evaluate-stage.js";
export { type AnswerRecord, type AnswerScorer, type AnswerScorers } from "./stage/answer-record.js";
export { evaluateSchema, parseModel, type EvaluateConfig } from "./stage/config.js";
export type { Evaluation, ModelFigures } from "./stage/summarise.js";
