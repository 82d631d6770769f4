import { stat } from "node:fs/promises";
import { dirname, relative } from "node:path";
import { StagecraftError } from "@stagecraft/core";
import { listRecordFiles, readParsed } from "@stagecraft/data";
import { parseModel } from "../stage/config.js";
import { chosenSets, dataSetsOf, isCalled, type DataSet } from "./data-sets.js";
import { shapeNamed, shapeNames, shapeOf } from "./shapes/table.js";
import type { TaskShape } from "./shapes/shape.js";

/** A task as a configuration names it, and its files. */
export interface TaskFiles {
  readonly name: string;
  readonly shape: TaskShape;
  readonly questions: readonly string[];
  /** Whether the configuration names the worked examples. */
  readonly hasOwnExamples: boolean;
  /** Files of worked examples; [] when none was found. */
  examples(): Promise<readonly string[]>;
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

/**
 * Where a task's records are. Throws `invalid_argument` when their format is not known, or when a folder
 * holds several data sets and none is called as the task is.
 */
export async function findTask(entry: string, examples: readonly string[]): Promise<TaskFiles> {
  const { name, path } = parseTask(entry);
  const files = await listRecordFiles(path);
  const isFolder = await stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  const first = files.find((file) => isCalled(relative(path, dirname(file)), name)) ?? files[0]!;
  const shape = shapeNamed(name) ?? (await recognised(first));
  const found = { name, path, shape, files };
  const sets = isFolder ? questionSets(found) : [];
  const questions = isFolder ? sets.flatMap((each) => each.files) : files;
  const given = examples.map(parseTask).find((each) => each.name === name);
  return {
    ...{ name, shape, questions, hasOwnExamples: given !== undefined },
    async examples() {
      if (given) return listRecordFiles(given.path);
      const beside = isFolder ? examplesOf(sets, found) : await examplesBeside(found);
      return beside.filter((file) => !questions.includes(file));
    },
  };
}

interface Found {
  readonly name: string;
  readonly path: string;
  readonly shape: TaskShape;
  readonly files: readonly string[];
}

/** In a folder: the split of the questions of one data set. */
function questionSets({ name, path, shape, files }: Found): readonly DataSet[] {
  const { questionSplits, inParts = false } = shape;
  for (const split of questionSplits) {
    const sets = dataSetsOf(files, { root: path, split });
    const told = (shown: string) =>
      `tasks: ${path} holds ${shown}; name the folder or the file of one, ${name}=PATH`;
    if (sets.length > 0) return chosenSets(sets, { task: name, inParts, told });
  }
  const splits = questionSplits.join(" or ");
  throw wrong(`tasks: ${path} has no file of the split ${splits}; name the file itself`);
}

/** In a folder: the split of worked examples of the same data sets. */
function examplesOf(questions: readonly DataSet[], { path, ...found }: Found): string[] {
  const names = new Set(questions.map(({ name }) => name));
  const sets = exampleSets(found, path).filter(({ name }) => names.has(name));
  return oneOf(sets, found);
}

/** Beside files that were named themselves: the split of worked examples of the same name, or the only one. */
async function examplesBeside(found: Found): Promise<string[]> {
  const { shape, files } = found;
  const all: string[] = [];
  for (const root of new Set(files.map(dirname))) {
    const here = (await listRecordFiles(root)).filter((file) => dirname(file) === root);
    const named = files.filter((file) => dirname(file) === root);
    const own = shape.questionSplits.flatMap((split) => dataSetsOf(named, { root, split }));
    const sets = exampleSets({ ...found, files: here }, root);
    const same = sets.filter((set) => own.some(({ name }) => name === set.name));
    all.push(...oneOf(own.length > 0 ? same : sets, found));
  }
  return all;
}

function exampleSets({ shape, files }: Pick<Found, "shape" | "files">, root: string): DataSet[] {
  const sets = shape.exampleSplits.map((split) => dataSetsOf(files, { root, split }));
  return sets.find((each) => each.length > 0) ?? [];
}

function oneOf(sets: readonly DataSet[], { name, shape }: Omit<Found, "path">): string[] {
  const told = (shown: string) =>
    `examples: the worked examples of ${name} are in ${shown}; name one of them, examples ${name}=PATH`;
  const chosen = chosenSets(sets, { task: name, inParts: shape.inParts ?? false, told });
  return chosen.flatMap(({ files }) => files);
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
