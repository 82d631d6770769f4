/** A line of metrics.jsonl. */
export type RunRecord = Record<string, unknown>;

/**
 * The records of a run, each once: a step that is told again, after a reconnection or because its trainer
 * did it again, takes the place of the earlier one. In the order of their steps.
 */
export function addRecords(
  known: readonly RunRecord[],
  added: readonly RunRecord[],
  isAll: boolean,
): RunRecord[] {
  const byKey = new Map<string, RunRecord>();
  for (const record of isAll ? added : [...known, ...added]) byKey.set(keyOf(record), record);
  const step = (record: RunRecord) =>
    typeof record["step"] === "number" ? record["step"] : Infinity;
  return [...byKey.values()].sort((a, b) => step(a) - step(b));
}

/** A step has one record of each kind, and an alarm of each code. */
function keyOf({ kind, step, code }: RunRecord): string {
  return JSON.stringify([kind, step, code]);
}

/** The alarms among them. */
export function alarmsAmong(records: readonly RunRecord[]) {
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  return records
    .filter(({ kind }) => kind === "alarm")
    .map(({ step, message, meaning, advice }) => ({
      ...(typeof step === "number" && { step }),
      ...{ message: text(message), meaning: text(meaning), advice: text(advice) },
    }));
}
