import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { atomicWriteFile } from "@stagecraft/checkpoint";
import type { AnswerRecord, Evaluation } from "@stagecraft/eval";
import {
  buildReport,
  readRuns,
  renderReport,
  type Highlight,
  type ReportData,
} from "@stagecraft/report";
import type { StageContext } from "@stagecraft/runs";
import { judge, type JudgedBar } from "../checks/bars.js";
import {
  planPipeline,
  runPipeline,
  type PlannedStage,
  type StageRecord,
} from "@stagecraft/pipeline";
import { figure } from "../report/result-text.js";
import { demoClaims } from "./claims.js";
import { prepareDemoDirectory } from "./demo-directory.js";
import { demoPipeline, type DemoOptions } from "./presets.js";
import { questionsWorthAsking } from "./questions.js";
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
  const onFinished = offerChat(context.reporter);
  const running = { runDir, variables, rerun, prepare, context, onFinished };
  const stages = await runPipeline(plan, running);
  const runs = await readRuns(plan.map((stage) => stage.runDir));
  const { evaluation, answers } = await readJudgement(stages.get("judge")!);
  const ppo = runs.find(({ name }) => name === "ppo")?.metrics.records ?? [];
  const claims = judge(demoClaims(options.preset, { stages, evaluation, ppo }));
  const title = `Stagecraft demo (${options.preset}, seed ${options.seed})`;
  const report = await buildReport(runs, { title, lead: LEAD, highlights: claims.map(highlight) });
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

const LEAD =
  "A small assistant, trained from scratch in a small invented world: it read, was shown how to answer, had its answers ranked, and improved itself against that judgement.";

/** A claim as a figure in large type, with what it is held against. */
function highlight({ name, value, passed, atLeast, atMost }: JudgedBar): Highlight {
  const limits = [
    ...(atLeast === undefined ? [] : [`at least ${atLeast}`]),
    ...(atMost === undefined ? [] : [`at most ${atMost}`]),
  ];
  return { label: name, value: figure(value), detail: limits.join(", "), ok: passed };
}

/** Says, once there is a model that answers, that nobody has to wait for the rest to talk to it. */
function offerChat(reporter: StageContext["reporter"]) {
  return ({ definition }: PlannedStage, { result }: StageRecord): void => {
    if (definition.name !== "sft" || result.modelDir === undefined) return;
    const command = `npx stagecraft chat ${result.modelDir}`;
    reporter.info(`it answers now: ${command}, in another terminal, while the rest goes on`);
  };
}

async function readJudgement({ result }: StageRecord) {
  const { evaluation, answers } = result.outputs;
  const lines = (await readFile(answers!, "utf8")).trimEnd().split("\n");
  return {
    evaluation: JSON.parse(await readFile(evaluation!, "utf8")) as Evaluation,
    answers: lines.map((line) => JSON.parse(line) as AnswerRecord),
  };
}
