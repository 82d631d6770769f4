export {
  runClosedFormCheck,
  type ClosedFormOptions,
  type ClosedFormResult,
} from "./check/closed-form-run.js";
export { gae, type GaeInput, type GrpoOptions } from "./math/advantages.js";
export type { Numbers, Reduction } from "./math/masked.js";
export { meanExtraScores } from "./update/build-experience.js";
export { ppoConfigProblems, ppoSchema, type PpoConfig } from "./stage/config.js";
export { inspectRollouts, type InspectedRollout } from "./rollouts/inspect.js";
export type {
  PromptTask,
  RolloutCheck,
  RolloutSample,
  RolloutSource,
  Samplers,
} from "./rollouts/rollout-source.js";
export type {
  PublishedWeights,
  StoredWeights,
  WeightPublisher,
} from "./rollouts/weight-publisher.js";
export { weightProblem } from "./rollouts/weight-rules.js";
export { ppoStage, runPpo } from "./stage/run-ppo.js";
export { oneAnswer, type RolloutSegment } from "./rollouts/segments.js";
export { rolloutProblem, type RolloutRules } from "./rollouts/rollout-rules.js";
export { verifyRollouts, type RolloutExpectation } from "./rollouts/verify-rollouts.js";
