import { health } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import type { Handlers } from "./types.js";

export type HealthStatus = "SERVING" | "NOT_SERVING";

/**
 * Health under this name says whether the process is worth keeping: for liveness probes and
 * supervisors. One that waits for its broker or is drained does not serve, but is alive.
 */
export const ALIVE = "alive";

/** The statuses a server reports; `''` stands for the whole process. */
export interface HealthRegistry {
  /** Reported from now on; watchers hear of it. Ignored after `shutDown()`. */
  set(service: string, status: HealthStatus): void;
  /** Everything NOT_SERVING for good. */
  shutDown(): void;
  /** Ends the watch streams, which would otherwise hold a draining server open. */
  endWatches(): void;
  handlers: Handlers<health.HealthService>;
}

/**
 * grpc.health.v1 on the main loop, on purpose: a loop that is stuck must look stuck. Services set
 * their status from the heartbeat of their worker.
 */
export function createHealthRegistry(): HealthRegistry {
  const statuses = new Map<string, HealthStatus>();
  const wakers = new Set<() => void>();
  let down = false;
  let ended = false;
  const wakeAll = () => {
    for (const wake of wakers) wake();
    wakers.clear();
  };

  async function* watch(service: string, signal: AbortSignal) {
    signal.addEventListener("abort", wakeAll, { once: true });
    let last: number | undefined;
    for (;;) {
      // Registered before the status is read, so that no change falls between.
      const changed = new Promise<void>((resolve) => wakers.add(resolve));
      const status = servingStatus(statuses.get(service), true);
      if (status !== last && !signal.aborted) yield { status };
      last = status;
      if (signal.aborted || ended) return; // after the last change went out
      await changed;
    }
  }

  return {
    set(service, status) {
      statuses.set(service, down ? "NOT_SERVING" : status);
      wakeAll();
    },
    shutDown() {
      down = true;
      for (const service of statuses.keys()) statuses.set(service, "NOT_SERVING");
      wakeAll();
    },
    endWatches() {
      ended = true;
      wakeAll();
    },
    handlers: {
      check: ({ service }) => ({ status: servingStatus(statuses.get(service), false) }),
      watch: ({ service }, { signal }) => watch(service, signal),
    },
  };
}

/** Unknown services: NOT_FOUND for a check, a status of its own for a watch (gRPC health spec). */
function servingStatus(status: HealthStatus | undefined, watching: boolean) {
  const { HealthCheckResponse_ServingStatus: Status } = health;
  if (status === "SERVING") return Status.SERVING;
  if (status === "NOT_SERVING") return Status.NOT_SERVING;
  if (watching) return Status.SERVICE_UNKNOWN;
  throw new StagecraftError("not_found", "no such service here; '' asks for the whole server");
}
