import { readFile } from "node:fs/promises";
import { StagecraftError, type JsonObject } from "@stagecraft/core";

/** A line of metrics.jsonl; stages write `kind` (train, eval, update, …) and `step`. */
export type MetricsRecord = JsonObject;

/** What a metrics.jsonl holds, and where it is damaged. */
export interface MetricsData {
  records: MetricsRecord[];
  /** Indexes of records before which lines could not be read: a curve has a gap there. */
  breaks: number[];
  /** Lines that could not be read, the one that a killed run left half written included. */
  numDamaged: number;
  isMissing: boolean;
}

/** The records of a run's metrics.jsonl in order; torn lines of a killed run are left out. */
export async function readMetrics(file: string): Promise<MetricsRecord[]> {
  return (await readMetricsFile(file)).records;
}

/** As `readMetrics`, and says what is not there. */
export async function readMetricsFile(file: string): Promise<MetricsData> {
  try {
    return parseMetrics(await readFile(file, "utf8"));
  } catch (thrown) {
    if (StagecraftError.from(thrown).code !== "not_found") throw thrown;
    return { records: [], breaks: [], numDamaged: 0, isMissing: true };
  }
}

/** Of a text that begins at the start of a line. */
export function parseMetrics(text: string): MetricsData {
  const data: MetricsData = { records: [], breaks: [], numDamaged: 0, isMissing: false };
  for (const line of text.split("\n")) {
    const record = line === "" ? undefined : recordOf(line);
    if (record) data.records.push(record);
    else if (line !== "") {
      data.numDamaged++;
      if (data.breaks.at(-1) !== data.records.length) data.breaks.push(data.records.length);
    }
  }
  return data;
}

function recordOf(line: string): MetricsRecord | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
    return isRecord ? (value as MetricsRecord) : undefined;
  } catch {
    return undefined;
  }
}
