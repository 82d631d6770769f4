export { busFields, callFields, engineFields, serverFields } from "./fields.js";
export { createHealth, type Health, type HealthCause, type HealthOptions } from "./health.js";
export {
  loadServiceConfig,
  type ServiceArguments,
  type ServiceName,
} from "./load-service-config.js";
export { runMain, terminationSignal } from "./process.js";
export {
  BROKER_WAIT_MS,
  busOptions,
  clientOptions,
  engineOptions,
  serverOptions,
  topologyOptions,
  type BusSettings,
  type CallSettings,
  type EngineSettings,
  type ServerSettings,
} from "./options.js";
export { startTelemetry, type ServiceTelemetry } from "./telemetry.js";
export { fromPlainError, toPlainError, type PlainError } from "./thread/messages.js";
export {
  Moved,
  serveThread,
  type ServedThread,
  type ThreadApi,
  type ThreadContext,
  type ThreadHandlers,
} from "./thread/serve-thread.js";
export {
  startThread,
  type CallOptions,
  type StartThreadOptions,
  type Thread,
} from "./thread/start-thread.js";
export { threadModule } from "./thread/thread-module.js";
export { superviseThread, type SupervisedThread } from "./thread/supervise-thread.js";
export { createLoopGate, type LoopGate } from "./loop-gate.js";
