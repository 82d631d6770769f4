export { gatewaySchema } from "./config.js";
export {
  createFeedbackService,
  type FeedbackService,
  type FeedbackServiceDeps,
} from "./feedback/feedback-service.js";
export { openPeopleServer, type PeopleServer } from "./http/people-server.js";
export type { ExportKind } from "./http/api/index.js";
export type { LoopControl } from "./loop/loop-control.js";
export { addRequests } from "./feedback/requests.js";
export { exportRecords, type FeedbackReader } from "./operator/export.js";
export { reportLoop } from "./feedback/loop-reports.js";
export type { Database, DatabaseOptions } from "./store/database.js";
export { createRunCatalog, type RunCatalog } from "./runs/run-catalog.js";
export { readSettings } from "./store/settings.js";
export { openStore } from "./store/open-store.js";
export * from "./openai/index.js";
