import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { JsonObject } from "@stagecraft/core";

/** A line of metrics.jsonl; stages write `kind` (train, eval, update, …) and `step`. */
export type MetricsRecord = JsonObject;

/** The records of a run's metrics.jsonl in order; torn lines of a killed run are left out. */
export async function readMetrics(file: string): Promise<MetricsRecord[]> {
  if (!existsSync(file)) return [];
  const lines = (await readFile(file, "utf8")).split("\n");
  return lines.flatMap((line) => {
    try {
      return line === "" ? [] : [JSON.parse(line) as MetricsRecord];
    } catch {
      return [];
    }
  });
}
