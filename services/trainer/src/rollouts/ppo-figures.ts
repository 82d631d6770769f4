import type { JsonObject } from "@stagecraft/core";
import type { StagePhase } from "@stagecraft/runs";
import { METRICS, type Metrics } from "@stagecraft/telemetry";

/** Turns what a PPO run tells into metrics. */
export interface PpoFigures {
  onPhase(phase: StagePhase): () => void;
  /** A record of metrics.jsonl. */
  onRecord(record: JsonObject): void;
}

/** Field of an update's record → gauge. */
const GAUGES = [
  ["step", METRICS.trainerStep],
  ["score", METRICS.trainerReward],
  ["kl", METRICS.trainerKl],
  ["clipFraction", METRICS.trainerClipFraction],
  ["staleness", METRICS.trainerStaleness],
] as const;

/** Does nothing without metrics. */
export function createPpoFigures(metrics: Metrics | undefined): PpoFigures {
  const parts = metrics?.histogram(METRICS.trainerPart);
  const busy = metrics?.counter(METRICS.busySeconds);
  return {
    onPhase({ name }) {
      const startedAt = performance.now();
      return () => {
        const seconds = (performance.now() - startedAt) / 1000;
        parts?.observe({ part: name }, seconds);
        if (name === "update") busy?.add({}, seconds);
      };
    },
    onRecord(record) {
      if (!metrics || record["kind"] !== "update") return;
      for (const [field, gauge] of GAUGES) metrics.gauge(gauge).set({}, Number(record[field]));
      const loss = metrics.gauge(METRICS.trainerLoss);
      loss.set({ part: "policy" }, Number(record["policyLoss"]));
      loss.set({ part: "value" }, Number(record["valueLoss"]));
    },
  };
}
