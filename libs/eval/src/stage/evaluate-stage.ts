import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { atomicWriteFile } from "@stagecraft/checkpoint";
import { present, StagecraftError, throwIfAborted } from "@stagecraft/core";
import { nameRecord, openJsonlAppender, type PromptRecord } from "@stagecraft/data";
import { readUsablePrompts, type PromptReader } from "@stagecraft/learn";
import {
  recordOptions,
  answerProblems,
  createThroughput,
  dataInputs,
  defineStage,
  headProblems,
  modelInputs,
  type StageDefinition,
  type StageResult,
  type StageScope,
} from "@stagecraft/runs";
import { loadModel, loadTokenizerOf, readModelInfo } from "@stagecraft/model";
import { chatTemplateFile, type ChosenTemplate } from "@stagecraft/tokenizer";
import { answerPrompts, type AnsweringParts } from "./answer-prompts.js";
import type { AnswerRecord, AnswerScorers } from "./answer-record.js";
import {
  contestants,
  evaluateSchema,
  parseModel,
  type Contestant,
  type EvaluateConfig,
} from "./config.js";
import { evaluateTasks } from "../tasks/evaluate-tasks.js";
import { taskPaths } from "../tasks/task-files.js";
import { purposeProblems } from "./purpose.js";
import { loadRewardScorer, type RewardScorer } from "./reward-scorer.js";
import { summarise, type Evaluation } from "./summarise.js";

export interface EvaluateDependencies {
  /** Further judges of answers, such as a world's gold score. Their names appear in the outputs. */
  readonly scorers?: AnswerScorers;
}

/**
 * The stage that lets models answer the same prompts and compares them. Writes answers.jsonl (every
 * answer, judged) and evaluation.json; resumes after the last answered prompt.
 */
export function createEvaluateStage({
  scorers = {},
}: EvaluateDependencies = {}): StageDefinition<EvaluateConfig> {
  return defineStage({
    name: "evaluate",
    summary: "let models answer prompts and compare them, or measure them on benchmark tasks",
    schema: evaluateSchema,
    examples: [
      "npx stagecraft evaluate --models base=runs/base/model --models sft=runs/sft/model --prompts heldout.jsonl --run runs/evaluation",
      "npx stagecraft evaluate --models runs/sft/model --prompts heldout.jsonl --reward-model runs/reward/model --best-of 8 --temperature 1 --run runs/best-of-8",
      "npx stagecraft evaluate --models sft=runs/sft/model --models ppo=runs/ppo/model --baselines sft=runs/sft/model --best-of 8 --reward-model runs/reward/model --prompts heldout.jsonl --run runs/comparison",
      "npx stagecraft evaluate --models runs/sft/model --tasks hellaswag=data/hellaswag --tasks gsm8k=data/gsm8k/main --limit 200 --run runs/benchmarks",
    ],
    inputs: ({ models, baselines, rewardModel, prompts, tasks, examples, ...chosen }) => [
      ...modelInputs({ models: models.map(dirOf), baselines: baselines.map(dirOf), rewardModel }),
      ...dataInputs({ chatTemplate: chatTemplateFile(chosen) }),
      ...dataInputs({ prompts, tasks: taskPaths(tasks), examples: examples.map(dirOf) }),
    ],
    contradictions: (config) => [...contestantProblems(config), ...purposeProblems(config)],
    problems: async (config, ahead) => [
      ...(config.tasks.length > 0
        ? []
        : await answerProblems(config.maxNewTokens, readersOf(config), ahead)),
      ...(await headProblems("score", { rewardModel: config.rewardModel }, ahead)),
    ],
    outputs: ({ tasks }) =>
      Promise.resolve({ answers: {}, [tasks.length > 0 ? "tasks" : "evaluation"]: {} }),
    leaves: {
      ...{ "answers.jsonl": "work", "evaluation.json": "scratch" },
      ...{ "task-answers.jsonl": "work", "tasks.json": "scratch" },
    },
    work: (config, scope) =>
      config.tasks.length > 0
        ? evaluateTasks({ config, ...scope })
        : evaluate(contestants(config), { config, ...scope, scorers }),
  });
}

/** Every model that has to have room for a prompt and its answer. */
function readersOf({ models, baselines, rewardModel }: EvaluateConfig): string[] {
  const dirs = [...models, ...baselines].map(dirOf);
  return rewardModel === "" ? dirs : [...dirs, rewardModel];
}

function dirOf(entry: string): string {
  return parseModel(entry).dir;
}

/** `evaluate` with exact match and, if given, a reward model as judges. */
export const evaluateStage: StageDefinition<EvaluateConfig> = createEvaluateStage();

interface Scope extends StageScope {
  readonly config: EvaluateConfig;
  readonly scorers: AnswerScorers;
}

async function evaluate(models: readonly Contestant[], scope: Scope): Promise<StageResult> {
  const { config, run } = scope;
  const prompts = await readAll(models, scope);
  const file = join(run.dir, "answers.jsonl");
  const rewardScorer =
    config.rewardModel === "" ? undefined : await loadRewardScorer(config.rewardModel);
  try {
    for (const [index, named] of models.entries()) {
      const numModels = models.length;
      await answerAll(prompts, { named, index, numModels, rewardScorer, file, ...scope });
    }
    warnOfCuts(rewardScorer, scope);
  } finally {
    rewardScorer?.dispose();
  }
  const records = await readAnswers(file);
  const evaluation = summarise(records, { models, tieMargin: config.tieMargin });
  const output = join(run.dir, "evaluation.json");
  await atomicWriteFile(output, `${JSON.stringify(evaluation, undefined, 2)}\n`);
  run.metrics.write({ stage: "evaluate", ...metricsOf(evaluation) });
  return { outputs: { answers: file, evaluation: output }, metrics: metricsOf(evaluation) };
}

/** The text of an answer can have more tokens than were sampled, above all of another tokenizer. */
function warnOfCuts(scorer: RewardScorer | undefined, { config, context }: Scope): void {
  if (!scorer?.numCut) return;
  context.reporter.warn(
    `${scorer.numCut} answers are with their prompt longer than the reward model ${config.rewardModel} reads: scored without their beginning`,
  );
}

type AnswerAllParts = Scope & {
  readonly named: Contestant;
  /** How many models there are in all. */
  readonly numModels: number;
  /** Position of the model among those compared. */
  readonly index: number;
  readonly rewardScorer: RewardScorer | undefined;
  readonly file: string;
};

async function answerAll(prompts: readonly PromptRecord[], parts: AnswerAllParts): Promise<void> {
  const { named, file, context, config, index, numModels } = parts;
  const appender = await openJsonlAppender(file); // completes or drops what a crash left half-written
  try {
    const done = await readAnswers(file);
    const answered = new Set(done.filter(({ model }) => model === named.name).map(({ id }) => id));
    const open = prompts.filter(({ id }) => !answered.has(id));
    if (open.length === 0) return;
    const total = prompts.length * numModels;
    let count = prompts.length * index + answered.size;
    await withModel(parts, async (answering) => {
      const throughput = createThroughput();
      const perChunk = Math.max(1, Math.floor((2 * config.batchSize) / named.bestOf));
      for (let start = 0; start < open.length; start += perChunk) {
        throwIfAborted(context.signal);
        const started = performance.now();
        const records = await answerPrompts(open.slice(start, start + perChunk), answering);
        await appender.append(...records);
        const numTokens = records.reduce((sum, record) => sum + record.numTokens, 0);
        throughput.add(numTokens * named.bestOf, performance.now() - started);
        context.reporter.progress({
          stage: "evaluate",
          done: (count += records.length),
          total,
          unit: "answers",
          tokensPerSecond: throughput.tokensPerSecond(),
          note: named.name,
        });
      }
    });
  } finally {
    await appender.close();
  }
}

async function withModel(
  { named, config, scorers, rewardScorer, context }: AnswerAllParts,
  body: (parts: AnsweringParts) => Promise<void>,
): Promise<void> {
  const tokenizer = await loadTokenizerOf(named.dir, config);
  const model = await loadModel(named.dir, { heads: ["lm"] });
  try {
    await body({ config, named, model, tokenizer, scorers, rewardScorer, signal: context.signal });
  } finally {
    model.dispose();
  }
}

async function readAll(
  models: readonly Contestant[],
  { config, context }: Scope,
): Promise<PromptRecord[]> {
  const { limit, rewardModel, maxNewTokens } = config;
  const dirs = [...new Set(models.map(({ dir }) => dir))];
  const readers = await Promise.all(dirs.map((dir) => readerOf(dir, config)));
  if (rewardModel !== "") {
    const judge = await readerOf(rewardModel);
    const name = `the reward model ${rewardModel}`;
    readers.push({ ...judge, name, maxAnswerTokens: maxNewTokens });
  }
  const options = { readers, limit, ...recordOptions(config, context) };
  const prompts = await readUsablePrompts(config.prompts, options, context);
  const byId = new Map<string, PromptRecord>();
  for (const prompt of prompts) {
    const twin = byId.get(prompt.id);
    byId.set(prompt.id, prompt);
    if (twin === undefined) continue;
    const both = [twin, prompt].map((record) => nameRecord("prompt", record)).join(" and ");
    throw new StagecraftError("invalid_argument", `${both} have one id; ids must differ`, {
      details: { field: "prompts" },
    });
  }
  return prompts;
}

async function readerOf(name: string, chosen: ChosenTemplate = {}): Promise<PromptReader> {
  const { maxPositions } = (await readModelInfo(name)).config;
  return { name, tokenizer: await loadTokenizerOf(name, chosen), maxPositions };
}

function contestantProblems(config: EvaluateConfig): string[] {
  const models = contestants(config);
  const names = models.map(({ name }) => name);
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  return [
    ...(repeated === undefined ? [] : [`two models are called "${repeated}"; write NAME=DIR`]),
    ...(config.bestOf > 1 && config.rewardModel === ""
      ? ["bestOf needs a rewardModel to choose with"]
      : []),
    ...(config.baselines.length > 0 && config.bestOf === 1
      ? ["baselines need bestOf of 2 or more"]
      : []),
    ...(config.baselines.length === 0 && config.bestOf > 1 && config.temperature === 0
      ? ["bestOf needs a temperature above 0, or all answers are the same"]
      : []),
  ];
}

async function readAnswers(file: string): Promise<AnswerRecord[]> {
  const text = await readFile(file, "utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as AnswerRecord);
}

function metricsOf({ models, winRates }: Evaluation): Record<string, number> {
  const figures = models.flatMap(({ model, exact, scores, meanTokens }) => [
    [`${model}.exactMatch`, exact.overall.rate] as const,
    ...Object.entries(scores).map(([name, { overall }]) => [`${model}.${name}`, overall] as const),
    [`${model}.meanTokens`, meanTokens] as const,
  ]);
  const wins = winRates.map(
    ({ model, against, scorer, winRate }) =>
      [`${model}.winRate.${against}.${scorer}`, winRate.rate] as const,
  );
  return present(Object.fromEntries([...figures, ...wins])) as Record<string, number>;
}
