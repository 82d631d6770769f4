export { buildReport, chartsByStage, type ReportFrame } from "./run/build-report.js";
export { alarmsOf, recordedAlarms } from "./run/alarms.js";
export {
  KNOWN_CURVES,
  chartsOf,
  type Chart,
  type CurveSeries,
  type CurveSpec,
} from "./run/curves.js";
export {
  readAnswers,
  readEvaluation,
  type AnswerLine,
  type EvaluationFile,
} from "./run/evaluation-files.js";
export { compareModels, chooseSamples } from "./run/comparison.js";
export { factsOf } from "./run/facts.js";
export {
  parseMetrics,
  readMetrics,
  readMetricsFile,
  type MetricsData,
  type MetricsRecord,
} from "./run/metrics-file.js";
export { findRunDirs, readRun, readRuns, type RunData, type RunFile } from "./run/read-run.js";
export { stageRow } from "./run/stage-row.js";
export { verdictOf } from "./run/verdict.js";
export { renderReport } from "./page/render-report.js";
export { CHART_CSS } from "./page/scripts.js";
export type * from "./page/report-data.js";
export { findRollouts, type FoundRollouts } from "./rollout/find-rollouts.js";
export { renderRollouts } from "./rollout/rollout-page.js";
export { rolloutText } from "./rollout/rollout-text.js";
export type { RolloutToken, RolloutToShow } from "./rollout/rollout-data.js";
