import type { Consumer } from "@stagecraft/bus";
import { invalidField, rollout } from "@stagecraft/contracts";
import type { Handlers, RpcServer } from "@stagecraft/rpc";
import { silentLogger, type Logger } from "@stagecraft/telemetry";
import type { Worker, WorkerStatus } from "./worker.js";

export interface RolloutServiceDeps {
  worker: Worker;
  workerId: string;
  /** Opens the queue of tasks again. */
  consume(): Promise<Consumer>;
  /** Told why no tasks are taken, when a call has drained the worker; undefined when they are. */
  onDrained?(problem: string | undefined): void;
  logger?: Logger;
}

/** A service that can be put on a server. */
export interface RolloutService {
  register(server: RpcServer): void;
  /** Drains; the signal gives up what is in flight. */
  close(signal?: AbortSignal): Promise<void>;
}

const MAX_CONCURRENCY = 4096;
const STATES: Readonly<Record<WorkerStatus["state"], rollout.WorkerState>> = {
  running: rollout.WorkerState.RUNNING,
  draining: rollout.WorkerState.DRAINING,
  drained: rollout.WorkerState.DRAINED,
};

/** RolloutService over a worker. */
export function createRolloutService(deps: RolloutServiceDeps): RolloutService {
  const { worker, workerId, consume, onDrained, logger = silentLogger() } = deps;
  const handlers: Handlers<typeof rollout.RolloutServiceService> = {
    async getStatus() {
      const { state, numCompleted, numRetried, numDead, ...rest } = worker.status();
      return {
        ...rest,
        workerId,
        state: STATES[state],
        numCompleted: BigInt(numCompleted),
        numRetried: BigInt(numRetried),
        numDead: BigInt(numDead),
      };
    },
    drain(_, { signal, peer, identity }) {
      logger.warn(
        { peer, identity, workerId },
        "drained by a call: takes no more tasks until Resume",
      );
      onDrained?.(`drained by a call at ${new Date().toISOString()}; Resume undoes it`);
      return worker.drain(signal);
    },
    async resume(_, { peer, identity }) {
      const { wasDrained } = await worker.resume(consume);
      logger.warn({ peer, identity, workerId, wasDrained }, "resumed by a call: takes tasks");
      onDrained?.(undefined);
      return { wasDrained };
    },
    async setConcurrency({ concurrency }) {
      if (concurrency >= 1 && concurrency <= MAX_CONCURRENCY) {
        return { concurrency, previous: worker.setConcurrency(concurrency) };
      }
      throw invalidField("concurrency", concurrency, `from 1 to ${MAX_CONCURRENCY}`);
    },
  };
  return {
    register: (server) => server.addService(rollout.RolloutServiceService, handlers),
    close: async (signal) => {
      await worker.drain(signal);
    },
  };
}
