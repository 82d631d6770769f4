export { bitsPerByte } from "./bits-per-byte.js";
export {
  countMatches,
  isExactMatch,
  normalizeAnswer,
  type MatchCount,
  type NormalizeOptions,
} from "./exact-match.js";
export { wilsonInterval, winRate, type WinRate } from "./win-rate.js";
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
