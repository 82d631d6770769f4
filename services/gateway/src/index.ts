export { gatewaySchema, loadGatewayConfig, type GatewayConfig } from "./config.js";
export { createFeedbackService, type FeedbackServiceDeps } from "./feedback/feedback-service.js";
export type { Database, DatabaseOptions } from "./store/database.js";
export { openStore } from "./store/open-store.js";
export * from "./openai/index.js";
