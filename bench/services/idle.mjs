// A process that does nothing but measure the delay of its own loop: what the machine alone costs. A line
// on its input makes it print the p99 since the last one, in ms.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { createInterface } from "node:readline";

const RESOLUTION_MS = 10;
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delay.enable();
console.log("{}");
createInterface({ input: process.stdin }).on("line", () => {
  const p99Ms = Math.max(0, delay.percentile(99) / 1e6 - RESOLUTION_MS);
  delay.reset();
  console.log(JSON.stringify({ p99Ms }));
});
