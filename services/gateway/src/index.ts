export { gatewaySchema, loadGatewayConfig, type GatewayConfig } from "./config.js";
export { createFeedbackService, type FeedbackServiceDeps } from "./feedback/feedback-service.js";
export { openFeedbackStore, type FeedbackStore } from "./store/feedback-store.js";
