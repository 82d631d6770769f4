import { StagecraftError } from "@stagecraft/core";
import { readParsed, type Message, type RecordOptions } from "@stagecraft/data";
import { pythonRandom } from "./python-random.js";
import type { TaskItem, TaskShape } from "./shapes/shape.js";
import type { TaskFiles } from "./task-files.js";

/** lm-eval's, so that its worked examples are drawn. */
const SEED = 1234;

/** A task with all that is asked. */
export interface Task {
  readonly name: string;
  readonly shape: TaskShape;
  readonly numShots: number;
  readonly items: readonly AskedItem[];
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
  const pool = numShots === 0 ? [] : await itemsOf(files.examples, shape, options);
  const examplesOf = chooser(files, pool, numShots);
  return {
    ...{ name, shape, numShots },
    items: items.map((item, i) => asked(item, examplesOf(item), `${name}:${i + 1}`)),
  };
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

type Chooser = (item: TaskItem) => readonly TaskItem[];

function chooser({ name, shape }: TaskFiles, pool: readonly TaskItem[], count: number): Chooser {
  if (count === 0) return () => [];
  if (shape.exampleSplits.length === 0) throw wrong(`shots: ${name} has no worked examples; use 0`);
  const groups = new Map<string, TaskItem[]>();
  for (const item of pool)
    groups.set(item.group ?? "", [...(groups.get(item.group ?? "") ?? []), item]);
  const margin = shape.examples === "drawn-others" ? 1 : 0;
  const random = pythonRandom(SEED);
  return (item) => {
    const { group = "" } = item;
    const from = groups.get(group) ?? [];
    if (from.length < count + margin) throw tooFew({ name, shape, group, has: from.length, count });
    if (shape.examples === "first") return from.slice(0, count);
    const draw = (of: readonly TaskItem[], size: number) =>
      random.sample(of.length, size).map((i) => of[i]!);
    if (margin === 0) return draw(from, count);
    const drawn = draw(from, count + margin).filter((other) => !isSame(other, item));
    if (drawn.length >= count) return drawn.slice(0, count);
    const others = from.filter((other) => !isSame(other, item));
    if (others.length < count) throw tooFew({ name, shape, group, has: others.length, count });
    return draw(others, count);
  };
}

const isSame = (a: TaskItem, b: TaskItem) =>
  a.question === b.question && String(a.choices) === String(b.choices) && a.gold === b.gold;

function tooFew(told: {
  name: string;
  shape: TaskShape;
  group: string;
  has: number;
  count: number;
}) {
  const { name, shape, group, has, count } = told;
  const what = group === "" ? name : `${name}, ${group},`;
  return wrong(
    `shots: ${what} has ${has} worked examples for ${count}; put the split ${shape.exampleSplits.join(" or ")} beside its file, name it with examples (${name}=PATH), or set shots 0`,
  );
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
