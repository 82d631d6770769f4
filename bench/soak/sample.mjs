// One look at a process from outside: resident memory from the kernel, tensors from its metrics.
import { readFile } from "node:fs/promises";

/** Resident memory in bytes; undefined when the process is gone or this is not Linux. */
export async function residentBytes(pid) {
  try {
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  } catch {
    return undefined;
  }
}

/** The port on which a process says in its log that it serves metrics. */
export async function metricsPortOf(logFile) {
  const lines = (await readFile(logFile, "utf8")).trim().split("\n").reverse();
  for (const line of lines) {
    const port = /"metricsPort":(\d+)/.exec(line)?.[1];
    if (port !== undefined && line.includes('"serving"')) return Number(port);
  }
  return undefined;
}

/** Sums of the metrics with these names, by name; empty when the process does not answer. */
export async function readMetrics(port, names) {
  try {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const sums = {};
    for (const line of text.split("\n")) {
      const [, name, value] = /^([a-z_]+)(?:\{[^}]*\})? (\S+)$/.exec(line) ?? [];
      if (names.includes(name)) sums[name] = (sums[name] ?? 0) + Number(value);
    }
    return sums;
  } catch {
    return {};
  }
}
