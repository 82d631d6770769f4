import { readFile, readdir } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { directoryHolder } from "@stagecraft/checkpoint";
import { StagecraftError, type ErrorRecord, type JsonObject } from "@stagecraft/core";
import { readMetricsFile, type MetricsData } from "./metrics-file.js";

/** run.json as the run layer writes it, as far as it is shown; every version of it. */
export interface RunFile {
  stage: string;
  state: string;
  config: JsonObject;
  inputs?: Readonly<Record<string, string>>;
  inputSizes?: Readonly<Record<string, { bytes: number; lines?: number }>>;
  versions: Readonly<Record<string, string>>;
  machine?: { cpu: string; cores: number; memoryBytes: number; system: string };
  workedMs?: number;
  startedAt: string;
  updatedAt: string;
  attempts: number;
  error?: ErrorRecord;
  result?: { modelDir?: string; outputs: Record<string, string>; metrics: Record<string, number> };
}

/** A run as its directory tells it. */
export interface RunData extends RunFile {
  dir: string;
  /** How it is called among the runs that are looked at together. */
  name: string;
  /** Who works on it now. */
  heldBy?: string;
  metrics: MetricsData;
  /** What is damaged or missing, a sentence each. */
  problems: string[];
}

const MAX_DEPTH = 4;
/** Of a run: nothing in there is a run. */
const NOT_RUNS = new Set(["checkpoints", "best", "model", "node_modules"]);

/** Directories with a run.json at or under `dir`. Throws `not_found` when there is no such directory. */
export async function findRunDirs(dir: string, depth = 0): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch((thrown: unknown) => {
    const { code, reason } = StagecraftError.from(thrown);
    const what = code === "not_found" ? `no directory ${dir}` : `cannot read ${dir}: ${reason}`;
    throw new StagecraftError(code, `${what}; name one that holds runs`, { cause: thrown });
  });
  const found = entries.some(({ name }) => name === "run.json") ? [dir] : [];
  for (const entry of depth < MAX_DEPTH ? entries : []) {
    if (!entry.isDirectory() || NOT_RUNS.has(entry.name) || entry.name.startsWith(".")) continue;
    found.push(...(await findRunDirs(join(dir, entry.name), depth + 1)));
  }
  return found;
}

/** Every run at or under the directories, oldest first, named by what tells them apart. */
export async function readRuns(dirs: readonly string[]): Promise<RunData[]> {
  const found = new Set<string>();
  for (const dir of dirs) {
    const below = await findRunDirs(resolve(dir));
    if (below.length === 0) {
      throw new StagecraftError("not_found", `${dir} holds no run: no run.json in it or under it`);
    }
    for (const each of below) found.add(each);
  }
  const base = commonParent([...found]);
  const runs = await Promise.all([...found].map((dir) => readRun(dir, relative(base, dir))));
  return runs.sort((a, b) => a.startedAt.localeCompare(b.startedAt));
}

/** The run of a directory. Throws `not_found` without run.json, `data_loss` when it cannot be read. */
export async function readRun(dir: string, name = basename(dir)): Promise<RunData> {
  const file = await lookAtRunFile(dir);
  const metrics = await readMetricsFile(join(dir, "metrics.jsonl"));
  const run = { ...file, dir, name: name || basename(dir), metrics };
  return { ...run, problems: problemsOf(run) };
}

/** What is true of a run now, without its metrics. Throws as `readRun` does. */
export async function lookAtRunFile(dir: string): Promise<RunFile & { heldBy?: string }> {
  return asItIsNow(dir, await readRunFile(dir));
}

async function readRunFile(dir: string): Promise<RunFile> {
  const file = join(dir, "run.json");
  const text = await readFile(file, "utf8").catch((thrown: unknown) => {
    const { code, reason } = StagecraftError.from(thrown);
    throw new StagecraftError(code, `cannot read ${file}: ${reason}`, { cause: thrown });
  });
  try {
    return complete(JSON.parse(text) as Partial<RunFile> & { status?: string });
  } catch (cause) {
    const message = `${file} is not valid JSON; its run cannot be shown`;
    throw new StagecraftError("data_loss", message, { cause });
  }
}

/** Earlier versions had another word for the state, and the error as its text. */
function complete({ status, error, ...rest }: Partial<RunFile> & { status?: string }): RunFile {
  const old = status === "finished" ? "succeeded" : status;
  const text: unknown = error;
  const record = typeof text === "string" ? ({ code: "internal", message: text } as const) : error;
  return {
    ...{ stage: "unknown", state: old ?? "unknown", config: {}, versions: {}, attempts: 1 },
    ...{ startedAt: "", updatedAt: "" },
    ...rest,
    ...(record !== undefined && { error: record }),
  };
}

/** A run that should work and that nobody holds has been interrupted. */
async function asItIsNow(dir: string, file: RunFile): Promise<RunFile & { heldBy?: string }> {
  if (file.state !== "running") return file;
  const holder = await directoryHolder(dir, { file: "run.lock" });
  if (holder) return { ...file, heldBy: `process ${holder.pid} on ${holder.host}` };
  const message = "its process ended while the run was working; resume it";
  return { ...file, state: "failed", error: { code: "aborted", message } };
}

function problemsOf({ metrics, ...run }: Omit<RunData, "problems">): string[] {
  const { isMissing, numDamaged, records } = metrics;
  const steps = run.result?.metrics["steps"] ?? run.result?.metrics["updates"];
  const last = records.reduce((most, { step }) => Math.max(most, Number(step ?? 0)), 0);
  const where = `${run.name}: metrics.jsonl`;
  return [
    ...(isMissing ? [`${where} is missing: there is nothing to draw`] : []),
    ...(numDamaged > 0
      ? [`${where}: ${numDamaged} lines cannot be read; curves have gaps there`]
      : []),
    ...(!isMissing && steps !== undefined && last < steps && (last > 0 || records.length === 0)
      ? [`${where} ends at step ${last}, the run had ${steps}: the rest of its curves is lost`]
      : []),
  ];
}

function commonParent(dirs: readonly string[]): string {
  let base = dirs.length === 1 ? dirname(dirs[0]!) : dirs[0]!;
  while (dirs.some((dir) => dir !== base && !dir.startsWith(`${base}/`))) base = dirname(base);
  return dirs.includes(base) && dirs.length > 1 ? dirname(base) : base;
}
