import { readFileSync } from "node:fs";
import { METRICS } from "@stagecraft/telemetry";

const TIMEOUT_MS = 1000;

/** What a process says in its metrics. */
export interface ScrapedProcess {
  /** Of tensor work since it started; undefined when it tells none. */
  busySeconds: number | undefined;
  /** Why its health is NOT_SERVING. */
  problems: string[];
}

/** Undefined when it does not answer: it is starting, or its loop is busy. */
export async function scrapeProcess(metricsPort: number): Promise<ScrapedProcess | undefined> {
  try {
    const url = `http://127.0.0.1:${metricsPort}/metrics`;
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    const text = await response.text();
    return { busySeconds: sumOf(text, METRICS.busySeconds.name), problems: problemsOf(text) };
  } catch {
    return undefined;
  }
}

/** The reasons that stand at `METRICS.notServing`. */
function problemsOf(text: string): string[] {
  const reason = /reason="((?:[^"\\]|\\.)*)"/;
  return text
    .split("\n")
    .filter((line) => line.startsWith(`${METRICS.notServing.name}{`) && line.endsWith(" 1"))
    .flatMap((line) => reason.exec(line)?.[1] ?? [])
    .map((escaped) => escaped.replace(/\\(["\\n])/g, (_, c) => (c === "n" ? " " : String(c))));
}

/** All series of one metric, in the text format of Prometheus. */
function sumOf(text: string, metric: string): number | undefined {
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
