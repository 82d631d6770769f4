export { weightAnnouncements } from "./announcements.js";
export type {
  EngineStatus,
  PolicyEngine,
  PolicyModelFacts,
  SequenceRequest,
  SequenceToScore,
  TokenChunk,
} from "./engine.js";
export { createLocalEngine, type LocalEngineOptions } from "./local-engine.js";
export { openPolicyService, type OpenPolicyOptions } from "./open.js";
export { createPolicyService, type PolicyService, type PolicyServiceDeps } from "./service.js";
export {
  followWeights,
  type WeightFollower,
  type WeightFollowerOptions,
} from "./weight-follower.js";
