export { bitsPerByte } from "./bits-per-byte.js";
export { countMatches, isExactMatch } from "./exact-match.js";
export { winRate } from "./win-rate.js";
export { createEvaluateStage, evaluateStage } from "./stage/evaluate-stage.js";
export { type AnswerRecord } from "./stage/answer-record.js";
export { evaluateSchema, parseModel } from "./stage/config.js";
export type { Evaluation } from "./stage/summarise.js";
