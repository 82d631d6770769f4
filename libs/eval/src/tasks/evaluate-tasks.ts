import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { atomicWriteFile } from "@stagecraft/checkpoint";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import { openJsonlAppender, type JsonlAppender } from "@stagecraft/data";
import { loadModel, loadTokenizerOf, type Model } from "@stagecraft/model";
import { recordOptions, type StageResult, type StageScope } from "@stagecraft/runs";
import { contestants, type EvaluateConfig, type NamedModel } from "../stage/config.js";
import { askModel, type Asking, type TaskAnswer } from "./ask-model.js";
import { readTask, type Task } from "./read-task.js";
import { summariseTasks, type TaskEvaluation } from "./summarise-tasks.js";
import { findTask } from "./task-files.js";

type Scope = StageScope & { readonly config: EvaluateConfig };

/**
 * Measures models on benchmark tasks as lm-eval does. Writes task-answers.jsonl (what each model did
 * with each item) and tasks.json; resumes after the last item.
 */
export async function evaluateTasks(scope: Scope): Promise<StageResult> {
  const { config, run } = scope;
  const models = contestants(config);
  const tasks = await readTasks(scope);
  const file = join(run.dir, "task-answers.jsonl");
  const appender = await openJsonlAppender(file);
  try {
    const progress = { count: 0, total: models.length * sizeOf(tasks) };
    for (const named of models) {
      await askAll(named, { tasks, file, appender, progress, scope });
    }
  } finally {
    await appender.close();
  }
  const names = models.map(({ name }) => name);
  const evaluation = summariseTasks(await readAnswers(file), { models: names, tasks });
  tellCuts(evaluation, scope);
  const output = join(run.dir, "tasks.json");
  await atomicWriteFile(output, `${JSON.stringify(evaluation, undefined, 2)}\n`);
  const metrics = flat(evaluation);
  run.metrics.write({ stage: "evaluate", ...metrics });
  return { outputs: { answers: file, tasks: output }, metrics };
}

async function readTasks({ config, context }: Scope): Promise<Task[]> {
  const { shots, limit, columns, maxBadRecords } = config;
  const records = recordOptions({ format: "auto", columns, maxBadRecords }, context);
  const tasks: Task[] = [];
  for (const entry of config.tasks) {
    const files = await findTask(entry, config.examples);
    const task = await readTask(files, { shots, limit, records });
    if (task.numShared > 0) {
      context.reporter.warn(
        `${task.numShared} of ${task.items.length} items of ${task.name} stand in its worked examples too: each is asked without itself before it`,
      );
    }
    tasks.push(task);
  }
  if (config.taskTokens > 0 && tasks.every(({ shape }) => shape.metrics !== undefined)) {
    throw new StagecraftError(
      "invalid_argument",
      `taskTokens belongs to tasks with written answers (gsm8k, ifeval-like): leave it out`,
      { details: { field: "taskTokens" } },
    );
  }
  return tasks;
}

interface Work {
  readonly tasks: readonly Task[];
  readonly file: string;
  readonly appender: JsonlAppender;
  readonly progress: { count: number; readonly total: number };
  readonly scope: Scope;
}

async function askAll({ name, dir }: NamedModel, work: Work): Promise<void> {
  const { tasks, file, progress, scope } = work;
  const mine = (await readAnswers(file)).filter((each) => each.model === name);
  const done = new Set(mine.map(({ id }) => id));
  const open = tasks.map((task) => ({
    ...task,
    items: task.items.filter(({ id }) => !done.has(id)),
  }));
  progress.count += sizeOf(tasks) - sizeOf(open);
  if (sizeOf(open) === 0) return;
  const { asChat, batchSize, taskTokens } = scope.config;
  const { signal } = scope.context;
  const tokenizer = await loadTokenizerOf(dir, scope.config);
  const model = await loadModel(dir, { heads: ["lm"] });
  const tokensOf = (task: Task) => taskTokens || (task.shape.maxNewTokens ?? 1);
  try {
    for (const task of open) checkRoom(task, tokensOf(task), { dir, model });
    for (const task of open) {
      const maxNewTokens = tokensOf(task);
      const how = { name, model, tokenizer, asChat, maxNewTokens, batchSize, signal };
      await askTask(task, how, work);
    }
  } finally {
    model.dispose();
  }
}

function checkRoom({ name, shape }: Task, tokens: number, of: { dir: string; model: Model }): void {
  const { maxPositions } = of.model.config;
  if (shape.metrics !== undefined || tokens < maxPositions) return;
  throw new StagecraftError(
    "invalid_argument",
    `taskTokens: answers of ${tokens} tokens to ${name} leave no room for a question in the ${maxPositions} positions of ${of.dir}; set a smaller number, or take a model of longer context`,
    { details: { field: "taskTokens" } },
  );
}

async function askTask(task: Task, asking: Asking, work: Work): Promise<void> {
  const { appender, progress, scope } = work;
  const perChunk = task.shape.metrics === undefined ? 2 * asking.batchSize : 8;
  for (let start = 0; start < task.items.length; start += perChunk) {
    throwIfAborted(asking.signal);
    const answers = await askModel(task, task.items.slice(start, start + perChunk), asking);
    await appender.append(...answers);
    const { total } = progress;
    scope.context.reporter.progress({
      ...{ stage: "evaluate", done: (progress.count += answers.length), total, unit: "answers" },
      note: `${asking.name} ${task.name}`,
    });
  }
}

const sizeOf = (tasks: readonly Task[]) => tasks.reduce((sum, { items }) => sum + items.length, 0);

function tellCuts({ models }: TaskEvaluation, { context }: Scope): void {
  for (const { model, tasks } of models) {
    for (const { task, numCut, numItems } of tasks.filter(({ numCut }) => numCut > 0)) {
      context.reporter.warn(
        `${numCut} of ${numItems} items of ${task} are longer than ${model} reads: asked without their beginning`,
      );
    }
  }
}

async function readAnswers(file: string): Promise<TaskAnswer[]> {
  const lines = (await readFile(file, "utf8")).split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line) as TaskAnswer);
}

/** The figures under `MODEL.TASK.METRIC`. */
function flat({ models }: TaskEvaluation): Record<string, number> {
  const entries = models.flatMap(({ model, tasks }) =>
    tasks.flatMap(({ task, metrics }) =>
      Object.entries(metrics).map(([metric, { value }]): [string, number] => [
        `${model}.${task}.${metric}`,
        value,
      ]),
    ),
  );
  return Object.fromEntries(entries);
}
