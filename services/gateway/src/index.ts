export { gatewaySchema, loadGatewayConfig, type GatewayConfig } from "./config.js";
export { createFeedbackService, type FeedbackServiceDeps } from "./feedback-service.js";
export { openFeedbackStore, type FeedbackStore } from "./feedback-store.js";
