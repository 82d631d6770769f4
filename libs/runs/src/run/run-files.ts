/**
 * What stands in a run directory: the files of every run, those that its stage declares, and perhaps a
 * person's. Only the first two are ever deleted.
 */
import { readFile, readdir, rm, stat } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import { sweepTemporaries } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";
import type { StageInput } from "../stage/stage-input.js";
import type { Leaves } from "../stage/stage.js";

/** What every run leaves, whatever its stage. */
const OF_EVERY_RUN: Leaves = {
  "metrics.jsonl": "scratch",
  checkpoints: "work",
  best: "scratch",
  model: "work",
  // Where the figures went beside metrics.jsonl.
  tensorboard: "scratch",
  "mlflow.json": "scratch",
  // Last: as long as it stands, a deletion that was interrupted is known for one.
  "run.json": "scratch",
};

/** Of the directory, not of one run in it: who works there, and what a trainer was asked for. */
const OF_THE_DIRECTORY = ["run.lock", "trainer.json"];

/** Every entry of a run whose stage declares these. */
function entriesOf(leaves: Leaves): string[] {
  return Object.keys({ ...leaves, ...OF_EVERY_RUN });
}

/** Whether replacing the run would lose anything: a step, an answer, a finished part. */
export async function hasWork(dir: string, leaves: Leaves): Promise<boolean> {
  if (/"step":[1-9]/.test(await textOf(join(dir, "metrics.jsonl")))) return true;
  for (const [name, holds] of Object.entries({ ...leaves, ...OF_EVERY_RUN })) {
    const entry = join(dir, name);
    if (holds === "work" && (await holdsSomething(entry))) return true;
    if (holds !== "runs") continue;
    for (const run of await namesIn(entry)) if (await hasWork(join(entry, run), {})) return true;
  }
  return false;
}

/** Throws when replacing the run would delete what the new one reads. */
export function refuseOwnInput(dir: string, leaves: Leaves, inputs: readonly StageInput[]): void {
  const entries = entriesOf(leaves);
  const own = inputs.find(({ path }) => entries.includes(entryWith(dir, path)));
  if (!own) return;
  throw new StagecraftError(
    "failed_precondition",
    `${own.field} is ${own.path}, a result of the run in ${dir} that would be replaced; choose another run directory`,
    { details: { runDir: dir, field: own.field } },
  );
}

/** Deletes all that a run left. Returns what stands there yet: none of it is the run's. */
export async function deleteRun(dir: string, leaves: Leaves): Promise<string[]> {
  await sweepTemporaries(dir);
  for (const entry of entriesOf(leaves)) {
    await rm(join(dir, entry), { recursive: true, force: true });
  }
  return (await namesIn(dir)).filter((name) => !OF_THE_DIRECTORY.includes(name));
}

/**
 * Throws when something that is of no run stands where a new one would write. What the run reads from
 * there itself is meant to be there; `replaced` is what an earlier run left and loses.
 */
export async function refuseForeign(
  dir: string,
  leaves: Leaves,
  { reads, replaced }: { reads: readonly StageInput[]; replaced?: Leaves },
): Promise<void> {
  const names = await namesIn(dir);
  const meant = reads.map(({ path }) => entryWith(dir, path));
  if (replaced) meant.push(...entriesOf(replaced));
  const taken = entriesOf(leaves).filter((name) => names.includes(name) && !meant.includes(name));
  if (taken.length === 0) return;
  throw new StagecraftError(
    "failed_precondition",
    `${dir} holds ${taken.join(", ")}, which no run there made and a new one would write over; move it away, or choose another run directory`,
    { details: { runDir: dir, entries: taken } },
  );
}

/** The entry of the directory that a path lies in. */
function entryWith(dir: string, path: string): string {
  return relative(dir, resolve(path)).split(sep)[0] ?? "";
}

async function holdsSomething(entry: string): Promise<boolean> {
  const found = await stat(entry).catch(() => undefined);
  if (found?.isDirectory()) return (await namesIn(entry)).length > 0;
  return (found?.size ?? 0) > 0;
}

function namesIn(dir: string): Promise<string[]> {
  return readdir(dir).catch(() => []);
}

function textOf(file: string): Promise<string> {
  return readFile(file, "utf8").catch(() => "");
}
