import { readFile, readdir, rm } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import { StagecraftError, type JsonObject } from "@stagecraft/core";
import type { z } from "zod";
import { inputChanges, type InputHashes } from "./input-hashes.js";
import type { RunRecord } from "./run-record.js";
import type { StageInput } from "../stage/stage-input.js";

/** What is about to be done in a directory that has a run already. */
export interface RunAgain {
  stage: string;
  config: object;
  schema?: z.ZodObject | undefined;
  inputs: InputHashes;
  resume: boolean;
  /** What replaces the run; default `--overwrite`. */
  startOver?: string | undefined;
}

/** Fields that may differ between a run and its resumption: they do not change what is computed. */
const RESUMABLE_FIELDS = new Set([
  ...["engine", "threads", "logEvery", "keepCheckpoints", "rounds", "pollMs"],
  // What the loop waits for before it goes on.
  ...["minRankings", "minRankedShare", "maxWaitHours", "minHeldOutPairs"],
]);

/** What a run leaves behind, deleted by `overwrite`. */
const RUN_ENTRIES = [
  "run.json",
  "metrics.jsonl",
  "checkpoints",
  "best",
  "model",
  "tokenizer",
  "answers.jsonl",
  "rankings.jsonl",
  "reward-report.json",
  "members",
  "rollouts",
  "rounds",
  "loop.jsonl",
  "loop-state.json",
];

/** Entries that are never empty and hold work that would have to be done again. */
const WORK_ENTRIES = ["model", "rankings.jsonl", "rounds", "loop.jsonl"];

/** Why the run in the directory can be neither resumed nor begun anew; undefined when it can. */
export function refusalOf(
  dir: string,
  earlier: RunRecord,
  again: RunAgain,
): StagecraftError | undefined {
  const startOver = again.startOver ?? "--overwrite";
  if (!again.resume) {
    const state = earlier.status === "finished" ? "a finished" : "an unfinished";
    return new StagecraftError(
      "failed_precondition",
      `${dir} already holds ${state} run of ${earlier.stage}; resume it (--resume), replace it (${startOver}), or choose another run directory`,
      { details: { runDir: dir, status: earlier.status } },
    );
  }
  if (earlier.stage !== again.stage) {
    return new StagecraftError(
      "failed_precondition",
      `${dir} holds a run of ${earlier.stage}, which ${again.stage} cannot resume; replace it (${startOver}) or choose another run directory`,
    );
  }
  return changeOf(dir, earlier, { ...again, startOver });
}

function changeOf(
  dir: string,
  earlier: RunRecord,
  again: RunAgain & { startOver: string },
): StagecraftError | undefined {
  const fields = changedFields(earlier.config, again.config as JsonObject, again.schema);
  if (fields.length > 0) {
    return new StagecraftError(
      "failed_precondition",
      `${dir} was started with another configuration and cannot be resumed exactly: ${fields.join("; ")}. Resume it with the old values, or start over with ${again.startOver}`,
      { details: { runDir: dir, changed: fields } },
    );
  }
  const files = earlier.inputs ? inputChanges(earlier.inputs, again.inputs) : [];
  if (files.length === 0) return undefined;
  return new StagecraftError(
    "failed_precondition",
    `the input of ${dir} is not what it was when the run began, so it cannot be resumed exactly: ${listed(files)}. Put the old content back and resume it, or start over with ${again.startOver}`,
    { details: { runDir: dir, changed: files } },
  );
}

/** The first of many sentences, and how many more there are. */
export function listed(sentences: readonly string[], limit = 5): string {
  const more = sentences.length - limit;
  return `${sentences.slice(0, limit).join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
}

/**
 * Fields of a configuration that differ, with both values; those that change no result left out. A
 * field that is younger than the run had, in effect, the schema's default.
 */
export function changedFields(
  before: JsonObject,
  after: JsonObject,
  schema?: z.ZodObject,
): string[] {
  const fields = new Set([...Object.keys(before), ...Object.keys(after)]);
  const text = (value: unknown) => JSON.stringify(value) ?? "unset";
  const was = (field: string) => text(field in before ? before[field] : defaultOf(schema, field));
  return [...fields]
    .filter((field) => !RESUMABLE_FIELDS.has(field) && was(field) !== text(after[field]))
    .map((field) => `${field} was ${was(field)}, now ${text(after[field])}`);
}

function defaultOf(schema: z.ZodObject | undefined, field: string): unknown {
  return schema?.shape[field]?.safeParse(undefined).data;
}

/** Whether replacing the run would lose anything: a step, an answer, a finished part. */
export async function hasWork(dir: string): Promise<boolean> {
  const names = await namesIn(dir);
  if (WORK_ENTRIES.some((name) => names.includes(name))) return true;
  if ((await namesIn(join(dir, "checkpoints"))).length > 0) return true;
  if ((await textOf(join(dir, "answers.jsonl"))) !== "") return true;
  if (/"step":[1-9]/.test(await textOf(join(dir, "metrics.jsonl")))) return true;
  for (const member of await namesIn(join(dir, "members"))) {
    if (await hasWork(join(dir, "members", member))) return true;
  }
  return false;
}

/** Throws when replacing the run would delete what the new one reads. */
export function refuseOwnInput(dir: string, inputs: readonly StageInput[]): void {
  const own = inputs.find(({ path }) => {
    const [first = ""] = relative(dir, resolve(path)).split(sep);
    return RUN_ENTRIES.includes(first);
  });
  if (!own) return;
  throw new StagecraftError(
    "failed_precondition",
    `${own.field} is ${own.path}, a result of the run in ${dir} that would be replaced; choose another run directory`,
    { details: { runDir: dir, field: own.field } },
  );
}

/** Deletes what a run leaves behind, and nothing else. */
export async function deleteRun(dir: string): Promise<void> {
  for (const entry of RUN_ENTRIES) await rm(join(dir, entry), { recursive: true, force: true });
}

function namesIn(dir: string): Promise<string[]> {
  return readdir(dir).catch(() => []);
}

function textOf(file: string): Promise<string> {
  return readFile(file, "utf8").catch(() => "");
}
