import { setTimeout as delay } from "node:timers/promises";
import type { Server } from "@grpc/grpc-js";
import type { Logger } from "@stagecraft/telemetry";
import type { Admission } from "./admission.js";
import type { HealthRegistry } from "./health.js";

export interface DrainOptions {
  /**
   * Time to keep accepting calls after reporting NOT_SERVING, for load balancers to notice; part of
   * the grace. Default 0: grpc clients hear of the end on their connection.
   */
  noticeMs?: number;
}

/** See RpcServer.drain(). `tryShutdown` alone waits for ever on a stream that never ends. */
export async function drainServer(
  parts: { server: Server; registry: HealthRegistry; admission: Admission; logger: Logger },
  graceMs: number,
  { noticeMs = 0 }: DrainOptions = {},
): Promise<boolean> {
  const { server, registry, admission, logger } = parts;
  const endsAt = performance.now() + graceMs;
  registry.shutDown();
  if (noticeMs > 0) await delay(Math.min(noticeMs, graceMs));
  registry.endWatches();
  const shutdown = new Promise<true>((resolve) => server.tryShutdown(() => resolve(true)));
  // Sessions close by GOAWAY; a handler may outlive its stream, so wait for both.
  const finished = Promise.all([shutdown, admission.idle()]).then(() => true);
  const clean = await withinMs(finished, Math.max(0, endsAt - performance.now()));
  if (!clean) {
    logger.warn({ inFlight: admission.inFlight(), graceMs }, "grace is over, cutting calls");
    server.forceShutdown();
  }
  return clean;
}

async function withinMs(work: Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const timer = new AbortController();
  const timeout = delay(timeoutMs, false, { signal: timer.signal }).catch(() => false);
  try {
    return await Promise.race([work, timeout]);
  } finally {
    timer.abort();
  }
}
