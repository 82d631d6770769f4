export { isLoopbackHost, isLoopbackTarget, targetOf } from "./address.js";
export type { AuthOptions, Caller } from "./callers.js";
export { createAuditLog, type AuditEntry, type AuditLog } from "./audit-log.js";
export { createCancelling, type Cancellation, type Cancelling } from "./cancellation.js";
export {
  createRpcClient,
  type RpcClient,
  type RpcClientControl,
  type RpcClientOptions,
} from "./client.js";
export type { CallContext } from "./context.js";
export type { ClientTls, ServerTls } from "./credentials.js";
export type { DrainOptions } from "./drain.js";
export { ALIVE, type HealthStatus } from "./health.js";
export { callInProcess, type RpcMethods } from "./in-process.js";
export type { RpcLimits } from "./limits.js";
export { idMetadata, type CallIds } from "./log-ids.js";
export {
  createRetryThrottle,
  DEFAULT_RETRY,
  retryDelayMs,
  shouldRetry,
  type RetryPolicy,
  type RetryThrottle,
} from "./retry.js";
export { serveUntilSignal, type ServeOptions } from "./serve.js";
export { createRpcServer, type RpcServer, type RpcServerOptions } from "./server.js";
export { DETAILS_KEY, errorFromStatus, statusFromError, type RpcStatus } from "./status.js";
export type {
  CallOptions,
  CallParent,
  ClientMethod,
  Handler,
  Handlers,
  RpcService,
} from "./types.js";
