export { policySchema } from "./config.js";
export {
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
