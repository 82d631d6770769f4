export { policySchema, STREAM_INTERVAL_MS } from "./config.js";
export { openPolicyService } from "./open-service.js";
export { createPolicyService, type PolicyService } from "./service.js";
export { createThreadedEngine } from "./thread-client.js";
