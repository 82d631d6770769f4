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
} from "./open-service.js";
export { createPolicyService, type PolicyService, type PolicyServiceDeps } from "./service.js";
export {
  createThreadedEngine,
  type ThreadedEngine,
  type ThreadedEngineOptions,
} from "./thread-client.js";
