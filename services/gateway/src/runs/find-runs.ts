import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import type { TrainerClient } from "@stagecraft/client";
import type { trainer } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { findRunDirs, lookAtRunFile } from "@stagecraft/report";
import type { RunItem } from "../http/api/index.js";
import { itemOfDirectory, itemOfTrainer } from "./run-items.js";

/** Where runs are looked for. */
export interface RunPlaces {
  /** Folders with run directories on this machine. */
  dirs: readonly string[];
  trainer?: TrainerClient | undefined;
  /** Of the trainer, for messages. */
  trainerAddress?: string;
}

/** A run, and where it is. */
export interface FoundRun {
  item: RunItem;
  /** Its directory, where it is on this machine. */
  dir?: string;
  /** Its id on the trainer, which then steers it. */
  trainerRunId?: string;
}

export interface FoundRuns {
  runs: FoundRun[];
  problems: string[];
}

/** Short: a page waits for it. */
export const TRAINER_MS = 3000;
const PAGE_SIZE = 1000;

/** Every run of the folders and of the trainer, newest first; one that is in both is one. */
export async function findRuns(places: RunPlaces): Promise<FoundRuns> {
  const problems: string[] = [];
  const note = (what: string) => (thrown: unknown) => {
    problems.push(`${what}: ${StagecraftError.from(thrown).reason}`);
    return [];
  };
  const inFolders = await Promise.all(
    places.dirs.map((dir) => runsIn(dir).catch(note(`the folder ${dir} cannot be read`))),
  );
  const byDir = new Map(inFolders.flat().map((run) => [run.dir!, run]));
  const away = `the trainer at ${places.trainerAddress ?? "its address"} does not answer; runs cannot be steered now`;
  const onTrainer = await runsOfTrainer(places).catch(note(away));
  const others = onTrainer.filter((run) => {
    const same = run.dir === undefined ? undefined : byDir.get(run.dir);
    if (same) Object.assign(same, withDirectory(run, same));
    return !same;
  });
  const runs = [...byDir.values(), ...others];
  runs.sort((a, b) => b.item.startedAt.localeCompare(a.item.startedAt));
  return { runs, problems };
}

/** The trainer knows how a run stands, the directory has its name and what was written down. */
export function withDirectory(run: FoundRun, { item, dir }: FoundRun): FoundRun {
  const progress = run.item.progress ?? item.progress;
  return {
    ...run,
    ...(dir !== undefined && { dir }),
    item: { ...run.item, runId: item.runId, name: item.name, progress },
  };
}

async function runsIn(folder: string): Promise<FoundRun[]> {
  const root = await realpath(resolve(folder));
  const found = await Promise.all(
    (await findRunDirs(root)).map(async (dir) => {
      // A run that is being deleted, or whose record is damaged, does not hide the others.
      const file = await lookAtRunFile(dir).catch(() => undefined);
      if (!file) return [];
      const name = relative(root, dir) || (dir.split("/").at(-1) ?? dir);
      return [{ dir, item: await itemOfDirectory(idOf("dir", dir), { dir, name, file }) }];
    }),
  );
  return found.flat();
}

async function runsOfTrainer({ trainer: client, dirs }: RunPlaces): Promise<FoundRun[]> {
  if (!client) return [];
  const runs = await everyRun(client);
  return Promise.all(runs.map((run) => runOfTrainer(run, dirs)));
}

/** A run as the trainer tells it; its directory where it lies in one of the folders. */
export async function runOfTrainer(
  run: trainer.Run,
  dirs: readonly string[],
): Promise<FoundRun & { trainerRunId: string }> {
  const dir = await dirBelow(run.runDir, dirs);
  const id = dir === undefined ? idOf("trainer", run.runId) : idOf("dir", dir);
  const item = itemOfTrainer(id, run);
  return { item, trainerRunId: run.runId, ...(dir !== undefined && { dir }) };
}

/** Page by page; a trainer that is away is noticed within TRAINER_MS. */
async function everyRun(client: TrainerClient): Promise<trainer.Run[]> {
  const found: trainer.Run[] = [];
  let pageToken = "";
  do {
    const request = { pageSize: PAGE_SIZE, pageToken, stage: "" };
    const page = await client.listRuns(request, { timeoutMs: TRAINER_MS });
    found.push(...page.runs);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return found;
}

/**
 * A run's directory where it lies in one of the folders, though nothing may stand there yet: so a run has
 * one id before its directory is made, and while its trainer is away.
 */
async function dirBelow(runDir: string, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const [given, real] = [resolve(folder), await realpath(resolve(folder)).catch(() => undefined)];
    const below = relative(given, resolve(runDir));
    if (real !== undefined && below !== "" && !below.startsWith("..")) return join(real, below);
  }
  return undefined;
}

/** An id that says nothing of this machine's folders. */
function idOf(kind: string, name: string): string {
  return createHash("sha256").update(`${kind}\n${name}`).digest("hex").slice(0, 16);
}
