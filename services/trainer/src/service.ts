import { checkSafeInteger, trainer } from "@stagecraft/contracts";
import { configJsonSchema } from "@stagecraft/config";
import type { Handlers, RpcServer } from "@stagecraft/rpc";

import { paginate } from "./runs/paginate.js";
import { sizeOfRun, toEventMessage, toRunMessage } from "./runs/run-messages.js";
import type { RunRegistry } from "./runs/run-registry.js";

export interface TrainerServiceDeps {
  registry: RunRegistry;
}

/** A service that can be put on a server. */
export interface TrainerService {
  register(server: RpcServer): void;
  /** Pauses every run at a checkpoint. */
  close(): Promise<void>;
}

/** TrainerService over a run registry. */
export function createTrainerService({ registry }: TrainerServiceDeps): TrainerService {
  const handlers: Handlers<typeof trainer.TrainerServiceService> = {
    async createRun({ config, ...rest }) {
      const run = await registry.create({ ...rest, config: config ?? {} });
      return { run: toRunMessage(run) };
    },
    async getRun({ runId }) {
      await registry.refresh();
      return { run: toRunMessage(registry.get(runId)) };
    },
    async listRuns({ pageSize, pageToken, stage }) {
      await registry.refresh();
      const matching = registry.list().filter((run) => stage === "" || run.stage === stage);
      const page = { pageSize, pageToken, sizeOf: sizeOfRun };
      const { items, nextPageToken } = paginate(matching, page);
      return { runs: items.map(toRunMessage), nextPageToken };
    },
    async *watchRun({ runId, afterSequence }, { signal }) {
      const after = checkSafeInteger(afterSequence, "after_sequence");
      for await (const logged of registry.watch(runId, { after, signal })) {
        yield toEventMessage(logged);
      }
    },
    async pauseRun({ runId }) {
      return { run: toRunMessage(await registry.pause(runId)) };
    },
    async resumeRun({ runId }) {
      return { run: toRunMessage(registry.resume(runId)) };
    },
    async cancelRun({ runId }) {
      return { run: toRunMessage(await registry.cancel(runId)) };
    },
    async listStages() {
      const stages = registry.stages().map(({ name, summary, schema }) => ({
        name,
        summary,
        configSchema: configJsonSchema(schema),
      }));
      return { stages: stages.sort((a, b) => a.name.localeCompare(b.name)) };
    },
  };
  return {
    register: (server) => server.addService(trainer.TrainerServiceService, handlers),
    close: () => registry.close(),
  };
}
