import { readFileSync } from "node:fs";
import { METRICS } from "@stagecraft/telemetry";

const TIMEOUT_MS = 1000;

/** Seconds of tensor work since the process started, from its metrics; undefined when it tells none. */
export async function scrapeBusySeconds(metricsPort: number): Promise<number | undefined> {
  try {
    const url = `http://127.0.0.1:${metricsPort}/metrics`;
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return sumOf(await response.text(), METRICS.busySeconds.name);
  } catch {
    return undefined; // it is starting, or its loop is busy
  }
}

/** All series of one metric, in the text format of Prometheus. */
export function sumOf(text: string, metric: string): number | undefined {
  const values = text
    .split("\n")
    .filter((line) => line.startsWith(metric) && /^[{ ]/.test(line.slice(metric.length)))
    .map((line) => Number(line.slice(line.lastIndexOf(" ") + 1)));
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
}

const PAGE_BYTES = 4096;

/** Resident memory of a process; undefined where there is no /proc. */
export function residentBytes(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * PAGE_BYTES;
  } catch {
    return undefined;
  }
}
