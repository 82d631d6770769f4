import { invalidField, rollout } from "@stagecraft/contracts";
import type { Handlers, RpcServer } from "@stagecraft/rpc";
import type { Worker, WorkerStatus } from "./worker.js";

export interface RolloutServiceDeps {
  worker: Worker;
  workerId: string;
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
export function createRolloutService({ worker, workerId }: RolloutServiceDeps): RolloutService {
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
    drain: (_, { signal }) => worker.drain(signal),
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
