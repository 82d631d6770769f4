export { createEmbeddedCluster } from "./embedded/embedded-cluster.js";
export { readKubeAccess } from "./kubernetes/kube-config.js";
export { createKubeClient } from "./kubernetes/kube-client.js";
export {
  checkJobName,
  TLS_FOLDER,
  type JobSecret,
  type JobVolume,
  type PipelineJobsOptions,
} from "./kubernetes/pipeline-jobs.js";
export { kubernetesObjects, runOnKubernetes } from "./kubernetes/run-on-kubernetes.js";
export { createFeedbackClient } from "./loop/feedback-client.js";
export { loopName, roundResult } from "./loop/loop-reports.js";
export { findLoopState } from "./loop/loop-state.js";
export { createLoopStage } from "./loop/loop-stage.js";
export { rollbackStage } from "./loop/rollback-stage.js";
export type { RankerDefinition } from "./loop/ranker-definition.js";
export { readAnswers, type Answers } from "./ranking/answers.js";
export { clusterPlace, loopOnCluster, type LoopTarget } from "./remote/loop-on-cluster.js";
export { ppoOnCluster } from "./remote/ppo-on-cluster.js";
export { runRemotely } from "./remote/run-remotely.js";
export { checkPlan } from "./runner/check-plan.js";
export { pipelineJsonSchema } from "./runner/json-schema.js";
export { readPipelineFile, type PipelineFile } from "./runner/pipeline-file.js";
export type { StageRecord } from "./runner/pipeline-state.js";
export { planPipeline, type AnyStage, type PlannedStage } from "./runner/plan.js";
export type { Bindings } from "./runner/references.js";
export { runPipeline, stagesToSkip, withDependents } from "./runner/run-pipeline.js";
export { ppoOverServices, runPpoOverServices } from "./stages/ppo-stage.js";
export { loadStages } from "./stages/stage-table.js";
export { tokenizerStage } from "./stages/tokenizer-stage.js";
export { ASSISTANT, REWARD } from "./loop/loop-models.js";
