import type {
  RunDetails,
  RunEvent,
  RunItem,
  RunList,
  RunStages,
  StartRun,
} from "../src/http/api/index.js";
import type { FakeRoute } from "./fake-server.js";
import { TRICKS } from "./fake-rank.js";

const AT = "2026-03-04T10:20:30.000Z";

const item = (runId: string, more: Partial<RunItem>): RunItem => ({
  ...{ runId, name: `demo/${runId}`, stage: "ppo", state: "running", startedAt: AT, updatedAt: AT },
  progress: { done: 12, total: 40, unit: "steps", note: "score 0.431, KL 1.20" },
  ...{ error: null, isControlled: true },
  ...more,
});

/** Updates of a run whose reward rises. */
const records = (count: number, bend: number) =>
  Array.from({ length: count }, (_, i) => ({
    ...{ kind: "update", step: i + 1, score: Math.log(1 + i * bend), kl: i / 10 },
    ...{ entropy: 2 - i / 50, learningRate: 1e-4 },
  }));

const ALARM = {
  ...{ kind: "alarm", step: 7, code: "kl", message: `KL is 14 ${TRICKS.script}` },
  ...{ meaning: "the policy is far from the reference", advice: "raise klCoef" },
};

const SCHEMA = {
  properties: {
    policy: { type: "string", description: "Model directory to improve" },
    updates: { type: "integer", default: 25, description: "PPO updates" },
    estimator: { type: "string", enum: ["gae", "rloo"], default: "gae", description: "How" },
    prompts: { type: "array", items: { type: "string" }, description: "Files of prompts" },
  },
  required: ["policy", "prompts"],
};

/** Runs of a trainer and of a folder, in memory. */
export function fakeRuns() {
  const runs = [
    item("one", {}),
    item("two", { state: "succeeded", isControlled: false, progress: null }),
    item("three", { state: "failed", error: `no room ${TRICKS.image}`, stage: "sft" }),
  ];
  const started: StartRun[] = [];
  const find = (runId: string | undefined) => runs.find((run) => run.runId === runId)!;
  const control = (state: RunItem["state"]): FakeRoute => {
    return ({ params }) => Object.assign(find(params["id"]), { state });
  };
  const routes: Record<string, FakeRoute> = {
    "GET /runs": (): RunList => ({ runs, canStart: true, problems: [] }),
    "GET /runs/stages": (): RunStages => ({
      stages: [{ name: "ppo", summary: "improves a model against a reward model", schema: SCHEMA }],
    }),
    "POST /runs": ({ body }) => {
      started.push(body as StartRun);
      const run = item("four", { name: (body as StartRun).name, state: "pending" });
      runs.unshift(run);
      return run;
    },
    "GET /runs/:id": ({ params }): RunDetails => ({
      run: find(params["id"]),
      verdict: "Running, at step 12. Reward of sampled answers 0 → 2.48.",
      problems: [],
      alarms: [],
      facts: [{ name: "machine", value: "Test CPU, 2 threads" }],
      data: [{ file: "data.jsonl", sha256: "ab".repeat(32), size: "12 KiB, 40 lines" }],
      ...{ hasAnswers: true, hasReport: true },
      madeFrom: [{ runId: "two", name: "demo/two", stage: "sft", isChanged: true }],
      usedBy: [{ runId: "three", name: "demo/three", stage: "sft" }],
    }),
    "GET /runs/:id/events": ({ params, response }) => {
      const events: RunEvent[] = [
        { type: "run", run: find(params["id"]) },
        { type: "records", isAll: true, records: [...records(12, params["id"]!.length), ALARM] },
      ];
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const event of events) response.write(`data: ${JSON.stringify(event)}\n\n`);
    },
    "POST /runs/:id/pause": control("paused"),
    "POST /runs/:id/resume": control("running"),
    "POST /runs/:id/cancel": control("cancelled"),
  };
  return { routes, runs, started };
}
