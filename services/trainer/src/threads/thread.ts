import { createJetStreamBus, type Lease } from "@stagecraft/bus";
import { readSigner } from "@stagecraft/checkpoint";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import type { StageReporter } from "@stagecraft/runs";
import { engineOptions } from "@stagecraft/fields";
import { busOptions, serveThread } from "@stagecraft/service-kit";
import { createLogger, startTraceExport, watchEngine } from "@stagecraft/telemetry";
import { initEngine, memoryReport } from "@stagecraft/tensor";
import { openWeightStoreAt } from "@stagecraft/weights";
import { plainStages } from "../runs/plain-stages.js";
import { createPpoRun } from "../rollouts/ppo-run.js";
import { createPublishRun } from "../rollouts/publish-run.js";
import type {
  LeaseQuestion,
  RunThreadApi,
  RunThreadData,
  RunThreadEvent,
} from "./thread-protocol.js";

/** The worker thread of one run: its engine, its own connection to the bus, its stage. */
serveThread<RunThreadData, RunThreadApi, undefined, RunThreadEvent, LeaseQuestion>(
  async ({ data, emit, ask, metrics }) => {
    const { config, topology, epoch } = data;
    const service = "trainer";
    const bindings = { thread: "run" };
    const logger = createLogger({ service, level: config.logLevel, bindings });
    const { tracesEndpoint: endpoint, traceSampleRatio: sampleRatio } = config;
    const traces = startTraceExport({ service, endpoint, sampleRatio });
    await initEngine(engineOptions(config));
    const endWatch = watchEngine(metrics, memoryReport);
    const bus = await createJetStreamBus({ ...busOptions(config), name: service, logger, metrics });
    const objects = () => bus.objects(topology.weightsBucket);
    const signer = await readSigner(config.signKey);
    const store = await openWeightStoreAt(config.weightsDir, objects, { signer });
    const lease = ownersLease(epoch, ask);
    const parts = { ...config, bus, topology, store, lease, logger, metrics };
    const stages = [...plainStages(), createPpoRun(parts), createPublishRun(parts)];
    const reporter: StageReporter = {
      progress: (progress) => emit({ kind: "progress", progress }),
      metrics: (record) => emit({ kind: "metrics", metrics: record }),
      info: (text) => emit({ kind: "info", text }),
      warn: (text) => emit({ kind: "warn", text }),
    };
    return {
      facts: undefined,
      handlers: {
        async run({ stage: name, config: stageConfig, context }, signal) {
          const stage = stages.find((candidate) => candidate.name === name);
          if (!stage) throw new StagecraftError("internal", `no stage ${name} in this thread`);
          return stage.run(stageConfig, { ...context, signal, reporter });
        },
      },
      async close() {
        endWatch();
        await bus.close();
        await traces.close();
      },
    };
  },
);

/** The lease of the process: its main thread renews it and answers for it. */
function ownersLease(epoch: number, ask: (question: LeaseQuestion) => Promise<void>): Lease {
  return {
    epoch,
    lost: new AbortController().signal, // the process ends when it loses it
    async confirm({ signal, fresh = false } = {}) {
      throwIfAborted(signal);
      await ask({ fresh });
      throwIfAborted(signal);
    },
    release: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}
