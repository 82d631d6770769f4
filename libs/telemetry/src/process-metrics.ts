import { monitorEventLoopDelay } from "node:perf_hooks";
import { METRICS } from "./metric-definitions.js";
import type { Metrics } from "./metrics.js";

/** Keeps the process's own figures; they are read when somebody scrapes, and cost nothing between. */
export function watchProcess(metrics: Metrics): void {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable(); // its timer does not keep the process alive
  const lag = metrics.gauge(METRICS.eventLoopLag);
  const resident = metrics.gauge(METRICS.residentMemory);
  const heap = metrics.gauge(METRICS.heapUsed);
  const cpu = metrics.counter(METRICS.cpuSeconds);
  metrics.gauge(METRICS.startTime).set({}, Date.now() / 1000 - process.uptime());
  let cpuBefore = 0;
  metrics.onScrape(() => {
    lag.set({}, delay.percentile(99) / 1e9);
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
