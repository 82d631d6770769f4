import type { RunItem } from "../src/http/api/index.js";
import type { RunCatalog } from "../src/runs/run-catalog.js";

/** A catalog with one run in it, of no trainer and no folder. */
export function madeRuns(): RunCatalog {
  const at = "2026-01-01T00:00:00.000Z";
  const run: RunItem = {
    ...{ runId: "one", name: "one", stage: "sft", state: "running", startedAt: at, updatedAt: at },
    ...{ progress: null, error: null, isControlled: true },
  };
  const nothing = { problems: [], alarms: [], facts: [], data: [], madeFrom: [], usedBy: [] };
  return {
    list: async () => ({ runs: [run], canStart: true, problems: [] }),
    item: async () => run,
    details: async () => ({ run, verdict: "", ...nothing, hasAnswers: true, hasReport: true }),
    follow: async function* () {
      yield { type: "run", run } as const;
    },
    stages: async () => ({ stages: [] }),
    start: async () => run,
    control: async () => run,
    answersPage: async () => "<!doctype html>",
    reportPage: async () => "<!doctype html>",
  };
}
