import { METRICS, type Metrics } from "@stagecraft/telemetry";

/** Counts the forward passes of one model. */
export interface RewardMeter {
  /** Runs a forward pass over so many answers. */
  time<T>(numItems: number, pass: () => T | Promise<T>): Promise<T>;
  /** Stops looking at the queue. */
  close(): void;
}

/** Does nothing without metrics. */
export function createRewardMeter(
  model: string,
  metrics: Metrics | undefined,
  numQueued: () => number,
): RewardMeter {
  if (!metrics) return { time: async (_, pass) => pass(), close: () => undefined };
  const items = metrics.counter(METRICS.rewardItems);
  const sizes = metrics.histogram(METRICS.rewardBatchSize);
  const queued = metrics.gauge(METRICS.rewardQueuedItems);
  const busy = metrics.counter(METRICS.busySeconds);
  return {
    async time(numItems, pass) {
      const startedAt = performance.now();
      try {
        const result = await pass();
        items.add({ model }, numItems);
        return result;
      } finally {
        sizes.observe({}, numItems);
        busy.add({}, (performance.now() - startedAt) / 1000);
      }
    },
    close: metrics.onScrape(() => queued.set({ model }, numQueued())),
  };
}
