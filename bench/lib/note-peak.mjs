// For `node --import`: when the process ends, its peak resident memory in bytes is written to the file that
// BENCH_PEAK_FILE names.
import { writeFileSync } from "node:fs";
import { peakMemoryMb } from "./peak-memory.mjs";

process.on("exit", () => {
  writeFileSync(process.env.BENCH_PEAK_FILE, `${peakMemoryMb(process.pid) * 2 ** 20}`);
});
