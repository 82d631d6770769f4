import type { Http2Server } from "node:http2";
import type { TLSSocket } from "node:tls";
import type { status as Status } from "@grpc/grpc-js";
import { Server } from "@grpc/grpc-js";
import { fileDescriptorSet, health } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { METRICS, silentLogger, type Logger, type Metrics } from "@stagecraft/telemetry";
import { isLoopbackHost } from "./address.js";
import { createAdmission, type Admission, type RefusalReason } from "./admission.js";
import { createAuditLog } from "./audit-log.js";
import { createCallQuotas } from "./call-quotas.js";
import { createCallers, type AuthOptions } from "./callers.js";
import { limitConnections } from "./connections.js";
import { serverCredentials, type ServerTls } from "./credentials.js";
import { drainServer, type DrainOptions } from "./drain.js";
import { adaptHandlers, guardDecoding } from "./handlers.js";
import { ALIVE, createHealthRegistry, type HealthRegistry, type HealthStatus } from "./health.js";
import { compileLimits, type RpcLimits } from "./limits.js";
import { addReflection } from "./reflection.js";
import { statusName } from "./status.js";
import type { Handlers, RpcService } from "./types.js";
import { createUntakenAnswers } from "./untaken-answers.js";
import { createWaitingCalls } from "./waiting-calls.js";

export interface RpcServerOptions {
  /** Address to listen on; default 127.0.0.1. */
  host?: string;
  /** Default 0: any free port, reported by `start()`. */
  port?: number;
  tls?: ServerTls | undefined;
  /** Who may call what (health excepted); needed on an address other than loopback, or a client CA. */
  auth?: AuthOptions | undefined;
  /** Calls a minute that each client may make of a method, by name or full path. */
  callQuotas?: Readonly<Record<string, number>>;
  /** File of JSON lines about calls that change something; default: lines of the log. */
  auditFile?: string | undefined;
  /** Plaintext on an address other than loopback. */
  allowPlaintext?: boolean;
  limits?: RpcLimits;
  /** Let clients list services and messages (development). Default false. */
  reflection?: boolean;
  /**
   * Health once more on a plaintext port of its own, for probes that speak neither TLS nor mTLS
   * (kubelet's gRPC probe).
   */
  probe?: { host: string; port: number } | undefined;
  logger?: Logger;
  metrics?: Metrics;
}

/** A gRPC server with health, limits, access control and an orderly end. */
export interface RpcServer extends AsyncDisposable {
  /** Adds a service (a ts-proto definition) with its handlers; its health starts as SERVING. */
  addService<S extends RpcService>(service: S, handlers: Handlers<S>): void;
  /**
   * Listens; from now on `''` and `alive` are SERVING. Throws `already_exists` when the port is taken and
   * `failed_precondition` for plaintext off loopback.
   */
  start(): Promise<{ port: number; probePort?: number }>;
  /** `service` is a full name such as `stagecraft.policy.v1.PolicyService`, `''` or `alive`. */
  setHealth(service: string, status: HealthStatus): void;
  /** Calls being handled. */
  inFlight(): number;
  /**
   * NOT_SERVING → wait for calls in flight → refuse new ones → after `graceMs` in all, cut the rest.
   * Resolves with whether everything finished. Calling again joins the first drain.
   */
  drain(graceMs: number, options?: DrainOptions): Promise<boolean>;
}

/** Options are checked here; nothing listens before `start()`. */
export function createRpcServer(options: RpcServerOptions = {}): RpcServer {
  const host = options.host ?? "127.0.0.1";
  const logger = options.logger ?? silentLogger();
  const onWarning = (message: string) => logger.warn(message);
  const credentials = serverCredentials({ ...options, host, onWarning });
  refuseStrangers(host, options);
  const limits = compileLimits(options.limits);
  const audit = createAuditLog(options.auditFile, logger);
  const admission = createAdmission({
    callers: createCallers(options.auth),
    quotas: createCallQuotas(options.callQuotas ?? {}),
    audit,
    maxConcurrent: limits.maxConcurrent,
    waiting: createWaitingCalls(limits.waiting),
    untaken: createUntakenAnswers(limits.waiting.streamIdleMs),
    logger,
    ...meters(options.metrics),
  });
  const registry = createHealthRegistry();
  const server = new Server({ ...limits.channelOptions, interceptors: [admission.interceptor] });
  const probe = options.probe ? new Server() : undefined;
  const kit = { logger, admission, audit };
  const add = (target: Server, service: RpcService, handlers: object) =>
    target.addService(
      guardDecoding(service),
      adaptHandlers(service, handlers as Record<string, unknown>, kit),
    );
  add(server, health.HealthService, registry.handlers);
  if (probe) add(probe, health.HealthService, registry.handlers);
  let draining: Promise<boolean> | undefined;
  const drain = (graceMs: number, how?: DrainOptions) =>
    (draining ??= drainAll({ server, probe, registry, admission, logger }, graceMs, how));

  return {
    addService(service, handlers) {
      add(server, service, handlers);
      registry.set(serviceName(service), "SERVING");
    },
    async start() {
      if (options.reflection) await addReflection(server, fileDescriptorSet());
      const port = await bind(server, `${host}:${options.port ?? 0}`, credentials);
      for (const inner of innerServers(server)) {
        limitConnections(inner, limits.connections, logger);
        logTlsFailures(inner, logger);
      }
      const probePort = probe && options.probe ? await bindProbe(probe, options.probe) : undefined;
      for (const name of ["", ALIVE]) registry.set(name, "SERVING");
      return probePort === undefined ? { port } : { port, probePort };
    },
    setHealth: (service, status) => registry.set(service, status),
    inFlight: () => admission.inFlight(),
    drain,
    [Symbol.asyncDispose]: async () => {
      await drain(0);
    },
  };
}

interface Parts {
  server: Server;
  probe: Server | undefined;
  registry: HealthRegistry;
  admission: Admission;
  logger: Logger;
}

async function drainAll(parts: Parts, graceMs: number, how?: DrainOptions): Promise<boolean> {
  const clean = await drainServer(parts, graceMs, how);
  parts.probe?.forceShutdown(); // last: probes see NOT_SERVING to the end
  return clean;
}

type Credentials = ReturnType<typeof serverCredentials>;

function bind(server: Server, address: string, credentials: Credentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error === null) return resolve(port);
      const taken = error.message.includes("EADDRINUSE");
      reject(
        new StagecraftError(
          taken ? "already_exists" : "unavailable",
          `cannot listen on ${address}${taken ? ": the port is taken" : ""}`,
          { cause: error, details: { address } },
        ),
      );
    });
  });
}

/** Plaintext by design: it answers health and nothing else. */
function bindProbe(probe: Server, { host, port }: { host: string; port: number }) {
  const credentials = serverCredentials({ host, allowPlaintext: true });
  return bind(probe, `${host}:${port}`, credentials);
}

/** What grpc-js listens with; it hands out neither connections nor failed handshakes. */
function innerServers(server: Server): Http2Server[] {
  const { http2Servers } = server as unknown as { http2Servers?: Map<Http2Server, unknown> };
  return [...(http2Servers?.keys() ?? [])];
}

/** Handshakes that fail (no certificate, wrong authority, expired) reach no interceptor. */
function logTlsFailures(inner: Http2Server, logger: Logger): void {
  inner.on("tlsClientError", (error: Error, socket: TLSSocket) => {
    logger.warn({ err: error, peer: socket.remoteAddress }, "TLS handshake refused");
  });
}

/** Whoever reaches the port could do everything: beyond loopback a server has to know its callers. */
function refuseStrangers(host: string, { auth, tls }: RpcServerOptions): void {
  if (isLoopbackHost(host) || auth || tls?.clientCaFile !== undefined) return;
  throw new StagecraftError(
    "failed_precondition",
    `refusing to listen on ${host} for everybody; configure tokens (auth.tokens, --tokens or the ` +
      "variable …_TOKENS_FILE) or certificates of clients (tls.clientCaFile, --tls-client-ca)",
  );
}

function meters(metrics: Metrics | undefined) {
  const inFlight = metrics?.gauge(METRICS.rpcServerInFlight);
  const calls = metrics?.counter(METRICS.rpcServerCalls);
  const duration = metrics?.histogram(METRICS.rpcServerDuration);
  const refusals = metrics?.counter(METRICS.rpcServerRefusals);
  return {
    onRefused: (method: string, reason: RefusalReason) => refusals?.add({ method, reason }),
    onStarted: (method: string) => inFlight?.add({ method }, 1),
    onFinished: (call: { method: string; code: Status; durationMs: number }) => {
      const labels = { method: call.method, code: statusName(call.code) };
      inFlight?.add({ method: call.method }, -1);
      calls?.add(labels);
      duration?.observe(labels, call.durationMs / 1000);
    },
  };
}

/** `/stagecraft.policy.v1.PolicyService/Generate` → `stagecraft.policy.v1.PolicyService`. */
function serviceName(service: RpcService): string {
  return Object.values(service)[0]?.path.split("/")[1] ?? "";
}
