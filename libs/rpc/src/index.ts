export { isLoopbackHost, targetOf } from "./address.js";
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
export { ALIVE, type HealthStatus } from "./health.js";
export { callInProcess, type RpcMethods } from "./in-process.js";
export type { RpcLimits } from "./limits.js";
export { idMetadata, type CallIds } from "./log-ids.js";
export { followCertificate } from "./pem-files.js";
export { createRpcServer, type RpcServer, type RpcServerOptions } from "./server.js";
export { statusFromError, type RpcStatus } from "./status.js";
export type {
  CallOptions,
  CallParent,
  ClientMethod,
  Handler,
  Handlers,
  RpcService,
} from "./types.js";
