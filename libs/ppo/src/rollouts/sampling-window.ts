/**
 * Sampling that runs ahead of training [AReaL, section 4]. Departures: an update learns from the
 * tasks of its own number and waits for the last of them, so nothing is dropped or overtaken for its
 * length, which would bias toward short answers; and the gate opens for a whole batch at a time,
 * which is all that ⌊(N_r − 1)/B⌋ can tell apart.
 */
import { StagecraftError } from "@stagecraft/core";
import type { PromptTask, RolloutCheck, RolloutSample, RolloutSource } from "./rollout-source.js";
import type { TaskSource } from "./prompt-tasks.js";
import { mayAdmit } from "./staleness-gate.js";

export interface SamplingWindowOptions {
  rollouts: Pick<RolloutSource, "collect">;
  source: TaskSource;
  /** The number that the weights of an update go by. */
  versionOfStep(step: number): number;
  /** η; 0 = synchronous. */
  maxStaleness: number;
  /** Answers of an update. */
  batchSize: number;
  /** Updates of the whole run: nothing is asked for beyond them. */
  updates: number;
  /** What sources refuse answers by. */
  problemOf: RolloutCheck;
  signal: AbortSignal;
}

/** The batches that were asked for and have not been learnt from. */
export interface SamplingWindow {
  /** Asks for every batch that the gate admits, now that the weights of `update` are published. */
  fill(update: number): void;
  /** Tasks and answers of an update that was admitted; rejects as the source's `collect` does. */
  next(update: number): Promise<{ tasks: PromptTask[]; samples: RolloutSample[] }>;
  /** Stops waiting for the rest. */
  close(): void;
}

interface Pending {
  tasks: PromptTask[];
  samples: Promise<RolloutSample[]>;
}

/**
 * A window that starts at the update `first`. What was in flight when a run stopped is asked for
 * again under the same task ids, so a resumption loses nothing and, by the ledger, repeats nothing.
 */
export function openSamplingWindow(options: SamplingWindowOptions, first: number): SamplingWindow {
  const { rollouts, source, maxStaleness, batchSize, updates, problemOf } = options;
  const pending = new Map<number, Pending>();
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  let admitted = first; // batches
  const gate = (update: number) => ({
    numAdmitted: admitted * batchSize,
    batchSize,
    version: update,
    maxStaleness,
  });
  return {
    fill(update) {
      for (; admitted < updates && mayAdmit(gate(update)); admitted++) {
        const minStep = Math.max(0, admitted - maxStaleness);
        const minWeightVersion = options.versionOfStep(minStep);
        const tasks = source.tasks(admitted, { minStep, minWeightVersion });
        const samples = rollouts.collect(tasks, signal, problemOf);
        samples.catch(() => undefined); // told by next()
        pending.set(admitted, { tasks, samples });
      }
    },
    async next(update) {
      const batch = pending.get(update);
      if (!batch) {
        throw new StagecraftError("internal", `the answers of update ${update} were not asked for`);
      }
      pending.delete(update);
      return { tasks: batch.tasks, samples: await batch.samples };
    },
    close: () => stop.abort(),
  };
}
