export { runClosedFormCheck } from "./check/closed-form-run.js";
export { gae } from "./math/advantages.js";
export type { Numbers } from "./math/masked.js";
export { meanExtraScores } from "./update/build-experience.js";
export { ppoConfigProblems, ppoSchema, type PpoConfig } from "./stage/config.js";
export { inspectRollouts } from "./rollouts/inspect.js";
export type {
  PromptTask,
  RolloutCheck,
  RolloutSample,
  RolloutSource,
  Samplers,
} from "./rollouts/rollout-source.js";
export type { PublishedWeights, WeightPublisher } from "./rollouts/weight-publisher.js";
export { weightProblem } from "./rollouts/weight-rules.js";
export { ppoStage, runPpo } from "./stage/run-ppo.js";
export { oneAnswer } from "./rollouts/segments.js";
export { rolloutProblem } from "./rollouts/rollout-rules.js";
export { verifyRollouts } from "./rollouts/verify-rollouts.js";
