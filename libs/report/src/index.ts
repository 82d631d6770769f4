export { alarmsOf } from "./run/alarms.js";
export { buildReport } from "./run/build-report.js";
export { factsOf } from "./run/facts.js";
export { parseMetrics, readMetrics, type MetricsRecord } from "./run/metrics-file.js";
export {
  findRunDirs,
  lookAtRunFile,
  readRun,
  readRuns,
  type RunData,
  type RunFile,
} from "./run/read-run.js";
export { verdictOf } from "./run/verdict.js";
export { renderReport } from "./page/render-report.js";
export type * from "./page/report-data.js";
export { findRollouts, type FoundRollouts } from "./rollout/find-rollouts.js";
export { renderRollouts } from "./rollout/rollout-page.js";
export { rolloutText } from "./rollout/rollout-text.js";
