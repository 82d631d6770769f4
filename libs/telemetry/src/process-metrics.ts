import {
  constants,
  monitorEventLoopDelay,
  PerformanceObserver,
  type PerformanceEntry,
} from "node:perf_hooks";
import { METRICS } from "./metric-definitions.js";
import type { Metrics } from "./metric-handles.js";

/** Of the timer that measures the loop's delay. */
const RESOLUTION_MS = 10;

/** Keeps the figures of this thread's JavaScript heap, as long as the thread lives. */
export function watchHeap(metrics: Metrics, thread: "main" | "worker"): void {
  const size = metrics.gauge(METRICS.heapSize);
  const live = metrics.gauge(METRICS.heapLive);
  const tellLive = () => {
    const { heapUsed, external } = process.memoryUsage();
    live.set({ thread }, heapUsed + external);
  };
  const observer = new PerformanceObserver((list) => {
    // Node's types leave `detail` out.
    const entries = list.getEntries() as (PerformanceEntry & { detail: { kind: number } })[];
    const full = entries.some(({ detail }) => detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR);
    if (full) tellLive();
  });
  tellLive();
  observer.observe({ entryTypes: ["gc"] });
  metrics.onScrape(() => {
    const { heapTotal, external } = process.memoryUsage();
    size.set({ thread }, heapTotal + external);
  });
}

/** For the owner of a worker thread that has ended: its heap is gone. */
export function clearWorkerHeap(metrics: Metrics): void {
  for (const heap of [METRICS.heapSize, METRICS.heapLive]) {
    metrics.gauge(heap).set({ thread: "worker" }, 0);
  }
}

/** Keeps the process's own figures; they are read when somebody scrapes, and cost nothing between. */
export function watchProcess(metrics: Metrics): void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable(); // its timer does not keep the process alive
  const lag = metrics.gauge(METRICS.eventLoopLag);
  const resident = metrics.gauge(METRICS.residentMemory);
  const heap = metrics.gauge(METRICS.heapUsed);
  const cpu = metrics.counter(METRICS.cpuSeconds);
  watchHeap(metrics, "main");
  metrics.gauge(METRICS.startTime).set({}, Date.now() / 1000 - process.uptime());
  let cpuBefore = 0;
  metrics.onScrape(() => {
    // Node records the time between two ticks of its timer, the wait itself included.
    lag.set({}, Math.max(0, delay.percentile(99) / 1e9 - RESOLUTION_MS / 1000));
    delay.reset();
    const { rss, heapUsed } = process.memoryUsage();
    resident.set({}, rss);
    heap.set({}, heapUsed);
    const { user, system } = process.cpuUsage();
    const cpuNow = (user + system) / 1e6;
    cpu.add({}, cpuNow - cpuBefore);
    cpuBefore = cpuNow;
  });
}
