export { callFields, serverFields } from "./fields.js";
export { createHealth, type Health } from "./health.js";
export { loadServiceConfig } from "./load-service-config.js";
export { abortOn, runMain, terminationSignal } from "./process.js";
export {
  BROKER_WAIT_MS,
  busOptions,
  clientOptions,
  serverOptions,
  topologyOptions,
  type BusSettings,
  type ServerSettings,
} from "./options.js";
export { startTelemetry } from "./telemetry.js";
export { fromPlainError, toPlainError, type PlainError } from "./thread/messages.js";
export { Moved, serveThread } from "./thread/serve-thread.js";
export { startThread, type Thread } from "./thread/start-thread.js";
export { threadModule } from "./thread/thread-module.js";
export { superviseThread, type SupervisedThread } from "./thread/supervise-thread.js";
export { createLoopGate } from "./loop-gate.js";
export { setV8ForServing } from "./v8-for-serving.js";
