import type { Lease, Topology } from "@stagecraft/bus";
import { releaseRunLockOfThread, type StageReporter } from "@stagecraft/runs";
import {
  startThread,
  threadModule,
  type SupervisedThread,
  type Thread,
} from "@stagecraft/service-kit";
import type { Metrics } from "@stagecraft/telemetry";
import type { TrainerConfig } from "../config.js";
import { isThreadEnd } from "../runs/run-crash.js";
import type {
  LeaseQuestion,
  RunThreadApi,
  RunThreadData,
  RunThreadEvent,
} from "./thread-protocol.js";
import type { TrainerStage } from "../runs/trainer-stage.js";

export interface RunThreadsOptions {
  config: TrainerConfig;
  topology: Topology;
  lease: Lease;
  metrics: Metrics;
}

/** A thread for each run, so that training holds up neither calls nor the lease. */
export interface RunThreads extends SupervisedThread {
  /** The stage as a thread runs it. */
  host(stage: TrainerStage): TrainerStage;
}

/**
 * `onHealth` tells whether every run's thread shows signs of life. A thread that crashes takes its own
 * run along and nothing else: its lock is taken away, and `ended` never resolves.
 */
export function createRunThreads(options: RunThreadsOptions): RunThreads {
  const { config, topology, lease, metrics } = options;
  const stuck = new Set<object>();
  const listeners = new Set<(healthy: boolean) => void>();
  const ended = new Promise<never>(() => undefined);

  const start = (reporter: StageReporter) =>
    startThread<RunThreadData, RunThreadApi, undefined, RunThreadEvent, LeaseQuestion>({
      name: "run",
      module: threadModule("./thread.js", import.meta.url),
      data: { config: { ...config }, topology, epoch: lease.epoch },
      stuckAfterMs: config.stuckAfterMs,
      ...(config.runHeapMb > 0 ? { maxHeapMb: config.runHeapMb } : {}),
      onAsk: ({ fresh }) => lease.confirm({ fresh }),
      onEvent: (event) => tell(reporter, event),
      metrics,
    });
  const watch = (thread: Pick<Thread<RunThreadApi, undefined>, "onHealth" | "ended">) => {
    thread.onHealth((healthy) => {
      if (healthy) stuck.delete(thread);
      else stuck.add(thread);
      for (const listener of listeners) listener(stuck.size === 0);
    });
    void thread.ended.then(() => {
      stuck.delete(thread);
      for (const listener of listeners) listener(stuck.size === 0);
    });
  };

  return {
    ended,
    onHealth(listener) {
      listeners.add(listener);
      listener(stuck.size === 0);
    },
    host: (stage) => ({
      ...stage,
      async run(stageConfig, { signal, reporter, onPhase: _, ...context }) {
        await using thread = await start(reporter);
        watch(thread);
        const args = { stage: stage.name, config: stageConfig, context };
        try {
          return await thread.call("run", args, { signal });
        } catch (thrown) {
          if (isThreadEnd(thrown)) {
            await thread.ended;
            await releaseRunLockOfThread(context.runDir, thread.threadId);
          }
          throw thrown;
        }
      },
    }),
  };
}

function tell(reporter: StageReporter, event: RunThreadEvent): void {
  switch (event.kind) {
    case "progress":
      return reporter.progress(event.progress);
    case "metrics":
      return reporter.metrics(event.metrics);
    case "info":
    case "warn":
      return reporter[event.kind](event.text);
  }
}
