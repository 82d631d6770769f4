export {
  ERROR_CODES,
  fromErrorRecord,
  isCancelled,
  StagecraftError,
  throwIfAborted,
  toErrorRecord,
  type ErrorCode,
  type ErrorRecord,
  type StagecraftErrorOptions,
} from "./errors.js";
export { mapAsync, openLater } from "./iterables.js";
export { formatBytes, formatCount, formatDuration } from "./format.js";
export { meanOf, present } from "./mean.js";
export type { JsonObject, JsonValue } from "./json.js";
export { isLogProb, LOG_PROB_RANGE } from "./log-prob.js";
export { createSemaphore, type Semaphore } from "./semaphore.js";
export {
  createRandom,
  deriveSeed,
  restoreRandom,
  type Random,
  type RandomState,
} from "./random.js";
export { createSerialQueue, type SerialQueue } from "./serial-queue.js";
export { CHART_CSS } from "./chart-css.js";
export { THEME_CSS } from "./theme.js";
export { terminalText } from "./terminal-text.js";
export { filterWrites, rawStream } from "./raw-stream.js";
export {
  isAnswerPenalty,
  isRepetitionPenalty,
  isTemperature,
  MAX_LOGIT_BIAS,
  REPETITION_PENALTY_RANGE,
  SAMPLING_LIMITS,
  TEMPERATURE_RANGE,
} from "./sampling-limits.js";
export { renderTextTable, type TextColumn, type TextTableOptions } from "./text-table.js";
export { privateDirectoryProblem } from "./private-directory.js";
