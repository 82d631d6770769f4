import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { atomicWriteFile } from "@stagecraft/checkpoint";
import {
  renderReport,
  type AnswerRecord,
  type Evaluation,
  type ReportData,
} from "@stagecraft/eval";
import type { StageContext } from "@stagecraft/runs";
import { judge, type JudgedBar } from "../checks/bars.js";
import { planPipeline, runPipeline, type StageRecord } from "@stagecraft/pipeline";
import { readMetrics } from "../report/metrics-file.js";
import { demoClaims } from "./claims.js";
import { prepareDemoDirectory } from "./demo-directory.js";
import { demoPipeline, type DemoOptions } from "./presets.js";
import { questionsWorthAsking } from "./notes.js";
import { buildReport } from "./report.js";
import { loadDemoStages } from "./stages.js";

export interface DemoOutcome {
  stages: ReadonlyMap<string, StageRecord>;
  claims: JudgedBar[];
  report: ReportData;
  /** Held-out prompts to try in a chat. */
  questions: string[];
  files: { html: string; json: string };
  /** When the last stage was finished, if that was before this call: nothing was left to do. */
  finishedBefore: string | undefined;
}

/**
 * Runs the demo's pipeline in `options.out` (finished stages are skipped and an interrupted one
 * resumes; `fresh` deletes them first) and writes report.html and demo.json there.
 */
export async function runDemo(
  options: DemoOptions & { fresh: boolean; rerun?: readonly string[] },
  context: Pick<StageContext, "signal" | "reporter">,
): Promise<DemoOutcome> {
  const startedAt = new Date().toISOString();
  const file = demoPipeline(options);
  const variables = new Map<string, string>();
  const plan = planPipeline(file, await loadDemoStages(), variables);
  const { out: runDir, rerun = [] } = options;
  const prepare = () => prepareDemoDirectory(options, context.reporter);
  const stages = await runPipeline(plan, { runDir, variables, rerun, prepare, context });
  const metrics = new Map<string, Awaited<ReturnType<typeof readMetrics>>>();
  for (const stage of plan) {
    metrics.set(stage.id, await readMetrics(join(stage.runDir, "metrics.jsonl")));
  }
  const { evaluation, answers } = await readJudgement(stages.get("judge")!);
  const ppo = metrics.get("ppo") ?? [];
  const claims = judge(demoClaims(options.preset, { stages, evaluation, ppo }));
  const title = `Stagecraft demo (${options.preset}, seed ${options.seed})`;
  const report = await buildReport({ title, stages, metrics, evaluation, answers, claims });
  const files = { html: join(options.out, "report.html"), json: join(options.out, "demo.json") };
  await atomicWriteFile(files.html, renderReport(report));
  const { preset, seed, out } = options;
  const machine = { preset, seed, out, claims, stages: Object.fromEntries(stages), report };
  await atomicWriteFile(files.json, `${JSON.stringify(machine, null, 2)}\n`);
  const last = [...stages.values()].map(({ finishedAt }) => finishedAt).sort();
  const finishedBefore = last.at(-1)! < startedAt ? last.at(-1) : undefined;
  const questions = questionsWorthAsking(answers);
  return { stages, claims, report, questions, files, finishedBefore };
}

async function readJudgement({ result }: StageRecord) {
  const { evaluation, answers } = result.outputs;
  const lines = (await readFile(answers!, "utf8")).trimEnd().split("\n");
  return {
    evaluation: JSON.parse(await readFile(evaluation!, "utf8")) as Evaluation,
    answers: lines.map((line) => JSON.parse(line) as AnswerRecord),
  };
}
