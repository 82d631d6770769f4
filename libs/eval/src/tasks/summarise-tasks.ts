import { meanOf, present } from "@stagecraft/core";
import type { TaskAnswer } from "./ask-model.js";
import type { Task } from "./read-task.js";

/** tasks.json: what every model reached in every task. */
export interface TaskEvaluation {
  readonly models: readonly { readonly model: string; readonly tasks: readonly TaskFigures[] }[];
}

/** What one model reached in one task. */
export interface TaskFigures {
  readonly task: string;
  /** Format of the items, such as "hellaswag". */
  readonly format: string;
  readonly shots: number;
  readonly numItems: number;
  /** Items whose text lost its beginning to fit into the model. */
  readonly numCut: number;
  /** Items that stand among the worked examples too; each was asked without itself before it. */
  readonly numShared: number;
  readonly metrics: Readonly<Record<string, TaskMetric>>;
  /** The same of each group, such as a subject. */
  readonly groups?: Readonly<Record<string, Readonly<Record<string, TaskMetric>>>>;
}

/** A mean over what was counted; absent where that is nothing. */
export interface TaskMetric {
  readonly value: number;
  /** Of the mean: sample deviation / √n; absent for one count. */
  readonly standardError?: number;
  readonly count: number;
}

/** Summarises the answers of each model to each task, in their order. */
export function summariseTasks(
  answers: readonly TaskAnswer[],
  { models, tasks }: { models: readonly string[]; tasks: readonly Task[] },
): TaskEvaluation {
  return {
    models: models.map((model) => ({
      model,
      tasks: tasks.map((task) =>
        figuresOf(
          task,
          answers.filter((each) => each.model === model && each.task === task.name),
        ),
      ),
    })),
  };
}

function figuresOf(task: Task, answers: readonly TaskAnswer[]): TaskFigures {
  const groups = [...new Set(answers.flatMap(({ group }) => group ?? []))];
  const byGroup = groups.map((name) => [
    name,
    metricsOf(answers.filter(({ group }) => group === name)),
  ]);
  return present({
    task: task.name,
    format: task.shape.name,
    shots: task.numShots,
    numItems: answers.length,
    numCut: answers.filter(({ cut }) => cut).length,
    numShared: task.numShared,
    metrics: metricsOf(answers),
    groups: groups.length > 0 ? (Object.fromEntries(byGroup) as TaskFigures["groups"]) : undefined,
  });
}

function metricsOf(answers: readonly TaskAnswer[]): Record<string, TaskMetric> {
  const names = Object.keys(answers[0]?.figures ?? {});
  const metrics = names.flatMap((name): [string, TaskMetric][] => {
    const counts = answers.flatMap(({ figures }) => figures[name] ?? []);
    const value = meanOf(counts);
    return value === undefined ? [] : [[name, withError(value, counts)]];
  });
  return Object.fromEntries(metrics);
}

function withError(value: number, counts: readonly number[]): TaskMetric {
  const count = counts.length;
  if (count < 2) return { value, count };
  const squares = counts.reduce((sum, each) => sum + (each - value) ** 2, 0);
  return { value, standardError: Math.sqrt(squares / (count - 1) / count), count };
}
