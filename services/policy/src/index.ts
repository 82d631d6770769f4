export { weightAnnouncements } from "./announcements.js";
export { policySchema } from "./config.js";
export type {
  EngineStatus,
  PolicyEngine,
  PolicyModelFacts,
  SequenceRequest,
  SequenceToScore,
  TokenChunk,
} from "./engine.js";
export { fetchInThread, type ThreadedWeightStore } from "./fetch-in-thread.js";
export { createLocalEngine, type LocalEngine, type LocalEngineOptions } from "./local-engine.js";
export {
  assemblePolicyService,
  openPolicyService,
  type OpenPolicyOptions,
  type PolicyPartsOptions,
} from "./open.js";
export { createPolicyService, type PolicyService, type PolicyServiceDeps } from "./service.js";
export {
  followWeights,
  type WeightFollower,
  type WeightFollowerOptions,
} from "./weight-follower.js";
export {
  createWorkerEngine,
  type WorkerEngine,
  type WorkerEngineOptions,
} from "./worker-engine.js";
