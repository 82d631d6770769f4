export { policySchema } from "./config.js";
export type {
  EngineStatus,
  PolicyEngine,
  PolicyModelFacts,
  SequenceRequest,
  SequenceToScore,
  TokenChunk,
} from "./engine.js";
export { createLocalEngine, type LocalEngine, type LocalEngineOptions } from "./local-engine.js";
export {
  assemblePolicyService,
  openPolicyService,
  type OpenPolicyOptions,
  type PolicyPartsOptions,
} from "./open.js";
export { createPolicyService, type PolicyService, type PolicyServiceDeps } from "./service.js";
export {
  createWorkerEngine,
  type WorkerEngine,
  type WorkerEngineOptions,
} from "./worker-engine.js";
