import { StagecraftError } from "@stagecraft/core";
import { readParsed, type Message, type RecordOptions } from "@stagecraft/data";
import type { TaskItem, TaskShape } from "./shapes/shape.js";
import type { TaskFiles } from "./task-files.js";
import { workedExamples } from "./worked-examples.js";

/** A task with all that is asked. */
export interface Task {
  readonly name: string;
  readonly shape: TaskShape;
  readonly numShots: number;
  readonly items: readonly AskedItem[];
  /** Items that stand among the worked examples too; each was asked without itself before it. */
  readonly numShared: number;
}

export interface AskedItem {
  readonly id: string;
  readonly item: TaskItem;
  /** What stands before the worked examples, those, and the question. */
  readonly text: string;
  /** The same as a chat: the description is the system's, all else one turn of the user. */
  readonly messages: readonly Message[];
}

export interface ReadTaskOptions {
  /** Worked examples; −1 = as many as the task's own. */
  shots: number;
  /** At most so many items of each group, 0 = all. */
  limit: number;
  records: RecordOptions;
}

/** Reads the items of a task and puts worked examples before each, as lm-eval does. */
export async function readTask(files: TaskFiles, options: ReadTaskOptions): Promise<Task> {
  const { name, shape } = files;
  const numShots = options.shots < 0 ? shape.numShots : options.shots;
  const items = limited(await itemsOf(files.questions, shape, options), options.limit);
  if (items.length === 0)
    throw wrong(`tasks: ${name} has no item in ${files.questions.join(", ")}`);
  if (numShots === 0 && files.hasOwnExamples) {
    throw wrong(`examples: ${name} is asked without any; set shots, or leave its examples out`);
  }
  const pool = numShots === 0 ? [] : await itemsOf(await files.examples(), shape, options);
  const examples = workedExamples(files, pool, numShots);
  const all = items.map((item, i) => asked(item, examples.before(item), `${name}:${i + 1}`));
  return { name, shape, numShots, items: all, numShared: examples.numShared };
}

async function itemsOf(
  paths: readonly string[],
  shape: TaskShape,
  { records }: ReadTaskOptions,
): Promise<TaskItem[]> {
  const items: TaskItem[] = [];
  for await (const item of readParsed(paths, (fields) => shape.item(fields), records)) {
    items.push(item);
  }
  return items;
}

function limited(items: readonly TaskItem[], limit: number): readonly TaskItem[] {
  if (limit === 0) return items;
  const counts = new Map<string, number>();
  return items.filter(({ group = "" }) => {
    counts.set(group, (counts.get(group) ?? 0) + 1);
    return counts.get(group)! <= limit;
  });
}

function asked(item: TaskItem, examples: readonly TaskItem[], id: string): AskedItem {
  const { description = "", question } = item;
  const shown = examples.map(({ question, target }) => `${question} ${target}\n\n`).join("");
  const user: Message = { role: "user", content: shown + question };
  return {
    ...{ id, item, text: description + shown + question },
    messages: description === "" ? [user] : [{ role: "system", content: description }, user],
  };
}

const wrong = (reason: string) =>
  new StagecraftError("invalid_argument", reason, { details: { field: "tasks" } });
