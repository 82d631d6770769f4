import { ALIVE, type HealthStatus, type RpcServer } from "@stagecraft/rpc";
import { METRICS, type Logger, type Metrics } from "@stagecraft/telemetry";

/** What can keep a process from serving. Of these only a silent thread is mended by a new start. */
export type HealthCause = "thread" | "bus" | "drained";

/** Why a process does not serve, by cause; it serves when nothing speaks against it. */
export interface Health {
  /** A cause's problem from now on; undefined when it has none any more. */
  set(cause: HealthCause, problem: string | undefined): void;
}

export interface HealthOptions {
  server: Pick<RpcServer, "setHealth">;
  /** Full names of the services whose health this is; `''`, the whole server, is among them always. */
  services: readonly string[];
  logger: Logger;
  metrics?: Metrics;
}

/** Call after `server.start()`. What is wrong is logged and a metric, for the screen and for alerts. */
export function createHealth({ server, services, logger, metrics }: HealthOptions): Health {
  const problems = new Map<HealthCause, string>();
  const notServing = metrics?.gauge(METRICS.notServing);
  return {
    set(cause, problem) {
      const before = problems.get(cause);
      if (problem === before) return;
      if (before !== undefined) notServing?.remove({ reason: before });
      if (problem === undefined) problems.delete(cause);
      else problems.set(cause, problem);
      if (problem !== undefined) notServing?.set({ reason: problem }, 1);
      const status = statusOf(problems.size === 0);
      if (problem === undefined) logger.info({ cause, status }, "health: the cause is gone");
      else logger.error({ cause, reason: problem }, "health: not serving");
      for (const service of ["", ...services]) server.setHealth(service, status);
      server.setHealth(ALIVE, statusOf(!problems.has("thread")));
    },
  };
}

function statusOf(isGood: boolean): HealthStatus {
  return isGood ? "SERVING" : "NOT_SERVING";
}
