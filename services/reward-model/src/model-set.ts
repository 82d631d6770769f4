import type { reward } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Metrics } from "@stagecraft/telemetry";
import { createBatcher, type Batcher } from "./batcher.js";
import { createRewardMeter, type RewardMeter } from "./reward-meter.js";
import type { ScoredSequence, Scorer } from "./scorer.js";

export interface BatchingOptions {
  maxBatch: number;
  maxWaitMs: number;
  maxQueued: number;
  metrics?: Metrics;
}

/** A model and the queue before it. */
export interface ServedModel {
  scorer: Scorer;
  batcher: Batcher<Int32Array, ScoredSequence>;
  meter: RewardMeter;
}

/** The models of a server; the first is the default. */
export interface ModelSet {
  /** Throws `not_found` naming what is served. */
  select(selector: reward.ModelSelector | undefined): ServedModel;
  all(): readonly ServedModel[];
  close(): Promise<void>;
}

/** Gives every scorer its own batcher. Throws when two have the same name and version. */
export function createModelSet(scorers: readonly Scorer[], batching: BatchingOptions): ModelSet {
  const served = scorers.map((scorer) => serve(scorer, batching));
  checkDistinct(scorers);
  return {
    select(selector) {
      const { name, version } = selector ?? { name: "", version: "" };
      const found = served.find(
        ({ scorer }) =>
          (name === "" || scorer.name === name) && (version === "" || scorer.version === version),
      );
      if (found) return found;
      throw notServed(`${name || "*"}@${version || "*"}`, scorers);
    },
    all: () => served,
    async close() {
      for (const { scorer, batcher, meter } of served) {
        await batcher.close();
        meter.close();
        scorer.dispose();
      }
    },
  };
}

function serve(scorer: Scorer, { metrics, ...batching }: BatchingOptions): ServedModel {
  const batcher = createBatcher<Int32Array, ScoredSequence>({
    ...batching,
    // A forward pass holds the thread; health and new calls get their turn between two.
    run: async (sequences) => {
      await nextTurn();
      return meter.time(sequences.length, () => scorer.score(sequences));
    },
  });
  const meter = createRewardMeter(scorer.name, metrics, () => batcher.numQueued);
  return { scorer, batcher, meter };
}

function checkDistinct(scorers: readonly Scorer[]): void {
  const labels = scorers.map(labelOf);
  const twice = labels.find((label, index) => labels.indexOf(label) !== index);
  if (scorers.length > 0 && twice === undefined) return;
  const problem = twice ? `${twice} is given twice` : "no reward model is given";
  throw new StagecraftError("invalid_argument", `${problem}; every model needs its own name`);
}

function notServed(wanted: string, scorers: readonly Scorer[]): StagecraftError {
  const served = scorers.map(labelOf).join(", ");
  return new StagecraftError("not_found", `no reward model ${wanted} here; served: ${served}`);
}

function labelOf({ name, version }: Scorer): string {
  return `${name}@${version}`;
}
