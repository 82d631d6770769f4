import type { AlarmRow } from "../page/report-data.js";
import { exactFell } from "./exact-fell.js";
import { compareModels } from "./comparison.js";
import { readEvaluation } from "./evaluation-files.js";
import type { MetricsData } from "./metrics-file.js";
import type { RunData } from "./read-run.js";

/** What a run warned of, and what its figures warn of: for the report and the pages alike. */
export async function alarmsOf({ dir, name, metrics }: RunData): Promise<AlarmRow[]> {
  const evaluation = await readEvaluation(dir);
  const fell = evaluation && exactFell(compareModels(evaluation, []));
  return [...recordedAlarms(name, metrics), ...(fell ? [{ run: name, ...fell }] : [])];
}

/** The alarms among the records of metrics.jsonl. */
function recordedAlarms(run: string, { records }: Pick<MetricsData, "records">): AlarmRow[] {
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  return records
    .filter(({ kind }) => kind === "alarm")
    .map(({ step, message, meaning, advice }) => ({
      run,
      ...(typeof step === "number" && { step }),
      ...{ message: text(message), meaning: text(meaning), advice: text(advice) },
    }));
}
