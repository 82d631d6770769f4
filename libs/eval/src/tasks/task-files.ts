import { stat } from "node:fs/promises";
import { dirname, relative, sep } from "node:path";
import { StagecraftError } from "@stagecraft/core";
import { listFiles, readParsed } from "@stagecraft/data";
import { parseModel } from "../stage/config.js";
import { shapeNamed, shapeNames, shapeOf } from "./shapes/table.js";
import type { TaskShape } from "./shapes/shape.js";

/** A task as a configuration names it, and its files. */
export interface TaskFiles {
  readonly name: string;
  readonly shape: TaskShape;
  readonly questions: readonly string[];
  /** Files of worked examples; [] when none was found. */
  readonly examples: readonly string[];
}

/** Name and path of `hellaswag=PATH`, `NAME=PATH` or a path alone. */
function parseTask(entry: string): { name: string; path: string } {
  const { name, dir } = parseModel(entry);
  return { name: name === dir ? nameOf(dir) : name, path: dir };
}

/** The paths of tasks; of a name alone, which names none, none. */
export function taskPaths(tasks: readonly string[]): string[] {
  return tasks
    .filter((entry) => shapeNamed(entry) === undefined)
    .map((entry) => parseTask(entry).path);
}

/** Sentences about entries that cannot be meant. */
export function taskProblems(tasks: readonly string[], examples: readonly string[]): string[] {
  const names = tasks.map((entry) => parseTask(entry).name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  const bare = tasks.filter((entry) => shapeNamed(entry) !== undefined);
  const strange = examples
    .map((entry) => parseTask(entry).name)
    .filter((name) => !names.includes(name));
  return [
    ...bare.map((name) => `tasks: ${name} needs its file: ${name}=PATH`),
    ...(twice === undefined ? [] : [`two tasks are called "${twice}"; write NAME=PATH`]),
    ...strange.map((name) => `examples: there is no task "${name}"; write TASK=PATH`),
  ];
}

/** Where a task's records are; throws `invalid_argument` when its format is not known. */
export async function findTask(entry: string, examples: readonly string[]): Promise<TaskFiles> {
  const { name, path } = parseTask(entry);
  const isFolder = await stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  const all = await listFiles(path);
  const shape = shapeNamed(name) ?? (await recognised(all[0]!));
  const questions = isFolder ? ofSplit(all, path, shape.questionSplits) : all;
  if (questions.length === 0) {
    const splits = shape.questionSplits.join(" or ");
    throw wrong(`tasks: ${path} has no file of the split ${splits}; name the file itself`);
  }
  const given = examples.map(parseTask).find((each) => each.name === name);
  const root = isFolder ? path : dirname(path);
  return {
    ...{ name, shape, questions },
    examples: given ? await listFiles(given.path) : await beside(root, shape, all),
  };
}

/** The split of worked examples in the same folder. */
async function beside(
  root: string,
  { exampleSplits }: TaskShape,
  named: readonly string[],
): Promise<string[]> {
  if (exampleSplits.length === 0) return [];
  const files = ofSplit(await listFiles(root), root, exampleSplits);
  return files.filter((file) => !named.includes(file) || named.length > 1);
}

/** Files whose path below the folder names the split; of a hub snapshot with all in one, those alone. */
function ofSplit(files: readonly string[], root: string, splits: readonly string[]): string[] {
  const split = new RegExp(`(^|[^a-z])(${splits.join("|")})([^a-z]|$)`, "i");
  const found = files.filter((file) => split.test(relative(root, file).split(sep).at(-1)!));
  const whole = found.filter((file) => relative(root, file).split(sep).includes("all"));
  return whole.length > 0 ? whole : found;
}

async function recognised(file: string): Promise<TaskShape> {
  for await (const shape of readParsed([file], (fields) => shapeOf(fields) ?? "none")) {
    if (shape !== "none") return shape;
    break;
  }
  const names = shapeNames().join(", ");
  throw wrong(`tasks: the records of ${file} are of no task known here (${names}); docs/data.md`);
}

function nameOf(path: string): string {
  return (
    path
      .split(/[/\\]/)
      .filter(Boolean)
      .at(-1)
      ?.replace(/\.[\w.]*$/, "") ?? path
  );
}

const wrong = (reason: string) =>
  new StagecraftError("invalid_argument", reason, { details: { field: "tasks" } });
