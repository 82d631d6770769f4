import { StagecraftError } from "@stagecraft/core";
import type { ReportData, RewardModelReport, SampleRow } from "../page/report-data.js";
import { findRollouts } from "../rollout/find-rollouts.js";
import { promptTurns } from "../rollout/prompt-turns.js";
import { alarmsOf } from "./alarms.js";
import { chooseSamples, compareModels } from "./comparison.js";
import { chartsOf, type Chart } from "./curves.js";
import {
  evaluationProblems,
  readAnswers,
  readEvaluation,
  readRewardReport,
} from "./evaluation-files.js";
import { factsOf } from "./facts.js";
import type { RunData } from "./read-run.js";
import { stageRow } from "./stage-row.js";
import { verdictOf } from "./verdict.js";

/** What a caller adds to what the runs say. */
export type ReportFrame = Partial<Pick<ReportData, "title" | "lead" | "highlights">>;

/** Everything that a report of these runs shows: runs of one stage lie over one another. */
export async function buildReport(
  runs: readonly RunData[],
  { title, lead, highlights }: ReportFrame = {},
): Promise<ReportData> {
  const alarms = await Promise.all(runs.map(alarmsOf));
  const problems = await Promise.all(runs.map(problemsOf));
  const { unread = [], ...judged } = await judgement(runs);
  return {
    title: title ?? titleOf(runs),
    ...(lead !== undefined && { lead }),
    createdAt: new Date().toISOString(),
    ...(highlights && { highlights }),
    verdict: runs.map((run) => ({ name: run.name, text: verdictOf(run) })),
    problems: [...problems.flat(), ...unread],
    stages: runs.map(stageRow),
    charts: chartsByStage(runs),
    rewardModels: await rewardModels(runs),
    alarms: alarms.flat(),
    ...judged,
    configuration: runs.map(factsOf),
  };
}

async function problemsOf({ dir, name, problems }: RunData): Promise<string[]> {
  const also = await evaluationProblems(dir);
  return [...problems, ...also.map((problem) => `${name}: ${problem}`)];
}

/** The charts of all runs, stage by stage in the order in which they were run. */
function chartsByStage(runs: readonly RunData[]): Chart[] {
  const stages = [...new Set(runs.map(({ stage }) => stage))];
  return stages.flatMap((stage) =>
    chartsOf(
      stage,
      runs.filter((run) => run.stage === stage),
    ),
  );
}

function titleOf(runs: readonly RunData[]): string {
  const [first] = runs;
  return runs.length === 1 ? `${first!.stage}: ${first!.name}` : `${runs.length} runs`;
}

type Judgement = Pick<ReportData, "comparison" | "samples" | "numAnswered">;

/** The models' comparison and answers, of the last run that has one; and what could not be read. */
async function judgement(runs: readonly RunData[]): Promise<Judgement & { unread?: string[] }> {
  for (const { dir } of runs.toReversed()) {
    const evaluation = await readEvaluation(dir);
    if (!evaluation) continue;
    const answers = await readAnswers(dir);
    const numAnswered = new Set(answers.map(({ id }) => id)).size;
    const comparison = compareModels(evaluation, answers);
    return { comparison, samples: chooseSamples(answers), numAnswered };
  }
  const sampled = await Promise.all(runs.map(sampledAnswers));
  return {
    samples: sampled.flatMap(({ samples }) => samples),
    numAnswered: sampled.reduce((sum, { numAnswered }) => sum + numAnswered, 0),
    unread: sampled.flatMap(({ problem }) => problem ?? []),
  };
}

const MAX_SAMPLES = 4;

interface Sampled {
  samples: SampleRow[];
  numAnswered: number;
  problem?: string;
}

/** What a policy said in its last update, where the run kept that. */
async function sampledAnswers({ dir, name, stage }: RunData): Promise<Sampled> {
  try {
    const { rollouts } = await findRollouts(dir, { runDir: dir });
    const first = rollouts.slice(0, MAX_SAMPLES);
    const samples = first.map(({ update, prompt, answer, score }) => ({
      kind: `${stage}, update ${update}`,
      prompt: promptTurns(prompt)
        .map(({ text }) => text)
        .join("\n"),
      answers: [{ model: name, text: answer, reward: score }],
    }));
    return { samples, numAnswered: rollouts.length };
  } catch (thrown) {
    const { code, reason } = StagecraftError.from(thrown);
    const none = { samples: [], numAnswered: 0 };
    return code === "not_found" ? none : { ...none, problem: `${name}: ${reason}` };
  }
}

async function rewardModels(runs: readonly RunData[]): Promise<RewardModelReport[]> {
  const ceiling = runs.map(({ result }) => result?.metrics["bestAccuracy"]).find(Number.isFinite);
  const reports = await Promise.all(
    runs.map(async ({ dir, name }) => {
      const report = await readRewardReport(dir);
      if (!report) return [];
      return [{ name, ...(report as object), ...(ceiling !== undefined && { ceiling }) }];
    }),
  );
  return reports.flat();
}
