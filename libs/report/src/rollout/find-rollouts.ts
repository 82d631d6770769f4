import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { StagecraftError } from "@stagecraft/core";
import type { RolloutToShow } from "./rollout-data.js";

const token = z.object({
  text: z.string(),
  id: z.number(),
  logProb: z.number(),
  refLogProb: z.number(),
  kl: z.number(),
  value: z.number(),
  advantage: z.number(),
  reward: z.number(),
});
const rollout = z.object({
  update: z.number(),
  rolloutId: z.string(),
  prompt: z.string(),
  answer: z.string(),
  score: z.number(),
  hasEos: z.boolean(),
  tokens: z.array(token).min(1),
});

export interface RolloutQuery {
  /** Run directory to look in for a rollout id. */
  runDir: string;
  /** Of a run directory; undefined = the last one. */
  update?: number;
}

export interface FoundRollouts {
  file: string;
  rollouts: RolloutToShow[];
  /** The one that was asked for by its id. */
  wanted?: number;
}

/**
 * The rollouts that a word stands for: a file of rollouts, a run directory, or a rollout's id. Throws
 * `not_found` saying what there is, `invalid_argument` naming the line of a malformed file.
 */
export async function findRollouts(word: string, query: RolloutQuery): Promise<FoundRollouts> {
  if (!existsSync(word)) return byId(word, query.runDir);
  const isFolder = (await stat(word)).isDirectory();
  const file = isFolder ? await fileOfRun(word, query.update) : word;
  return { file, rollouts: await readRollouts(file) };
}

async function fileOfRun(runDir: string, update: number | undefined): Promise<string> {
  const files = await rolloutFiles(runDir);
  if (update === undefined) return files.at(-1)!;
  const wanted = files.find((file) => updateOf(file) === update);
  if (wanted !== undefined) return wanted;
  const [first, last] = [files[0]!, files.at(-1)!].map(updateOf);
  const reason = `${runDir} has no rollouts of update ${update}; it has ${first} to ${last}`;
  throw new StagecraftError("not_found", reason);
}

async function byId(id: string, runDir: string): Promise<FoundRollouts> {
  for (const file of (await rolloutFiles(runDir)).reverse()) {
    const rollouts = await readRollouts(file);
    const wanted = rollouts.findIndex(({ rolloutId }) => rolloutId === id);
    if (wanted >= 0) return { file, rollouts, wanted };
  }
  throw new StagecraftError(
    "not_found",
    `"${id}" is no file or directory, and ${runDir} has no rollout of that id; name a file of rollouts/, a run directory, or an id with --run`,
  );
}

/** Oldest update first. Throws not_found when a run wrote none. */
async function rolloutFiles(runDir: string): Promise<string[]> {
  const folder = join(runDir, "rollouts");
  const names = existsSync(folder) ? await readdir(folder) : [];
  const files = names.filter((name) => /^update-\d+\.jsonl$/.test(name)).sort();
  if (files.length > 0) return files.map((name) => join(folder, name));
  const reason = `${runDir} has no rollouts/; ppo writes them when inspectRollouts is above 0`;
  throw new StagecraftError("not_found", reason);
}

function updateOf(file: string): number {
  return Number(/update-(\d+)\.jsonl$/.exec(file)![1]);
}

async function readRollouts(file: string): Promise<RolloutToShow[]> {
  const lines = (await readFile(file, "utf8")).split("\n");
  const rollouts = lines.flatMap((line, i) =>
    line.trim() === "" ? [] : [parseLine(line, `${file}:${i + 1}`)],
  );
  if (rollouts.length > 0) return rollouts;
  throw new StagecraftError("invalid_argument", `${file} holds no rollout`);
}

function parseLine(line: string, where: string): RolloutToShow {
  try {
    return rollout.parse(JSON.parse(line));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : "not valid JSON";
    const message = `${where} is no rollout as ppo writes it: ${reason}`;
    throw new StagecraftError("invalid_argument", message, { cause });
  }
}
