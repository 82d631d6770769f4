import { METRICS } from "./metric-definitions.js";
import type { Metrics } from "./metric-handles.js";

/** What a tensor engine holds; libs/tensor makes it. */
export interface EngineReport {
  numTensors: number;
  /** Bytes of buffers in use, and of those that wait for reuse. */
  usedBytes: number;
  idleBytes: number;
}

/** Keeps the figures of the engine of this thread; returns what ends that and sets them to 0. */
export function watchEngine(metrics: Metrics, report: () => EngineReport): () => void {
  const tensors = metrics.gauge(METRICS.engineTensors);
  const memory = metrics.gauge(METRICS.engineMemory);
  const tell = ({ numTensors, usedBytes, idleBytes }: EngineReport) => {
    tensors.set({}, numTensors);
    memory.set({ state: "used" }, usedBytes);
    memory.set({ state: "idle" }, idleBytes);
  };
  const stop = metrics.onScrape(() => tell(report()));
  return () => {
    stop();
    tell({ numTensors: 0, usedBytes: 0, idleBytes: 0 });
  };
}
