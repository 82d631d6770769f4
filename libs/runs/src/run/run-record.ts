import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ERROR_CODES, StagecraftError, type ErrorRecord, type JsonObject } from "@stagecraft/core";
import type { InputHashes, InputSizes } from "./input-hashes.js";
import type { Machine } from "./provenance.js";
import { runHolder } from "./run-lock.js";
import type { Leaves, StageResult } from "../stage/stage.js";

/**
 * Where a run stands; the same words in run.json, in the trainer's API and in every text. A run that
 * a person stopped is `cancelled`, and `paused` when it was said to go on; neither has failed.
 */
export type RunState = "pending" | "running" | "paused" | "succeeded" | "failed" | "cancelled";

/** run.json: what ran, with which frozen configuration, and how it ended. */
export interface RunRecord {
  formatVersion: 2;
  stage: string;
  state: RunState;
  seed: number | null;
  config: JsonObject;
  /** What was read, by content; runs of older versions have none. */
  inputs?: InputHashes;
  /** How much that was. */
  inputSizes?: InputSizes;
  /** What the stage leaves beside this file, for whoever replaces the run; see `leavesOf`. */
  leaves?: Leaves;
  /** Of stagecraft, node and the engine; `commit` where stagecraft runs from its repository. */
  versions: Record<string, string>;
  /** What the latest attempt ran on. */
  machine?: Machine;
  /** Time of all attempts that ended by themselves; that of killed ones is not known. */
  workedMs?: number;
  startedAt: string;
  updatedAt: string;
  /** How many times the run was started or resumed. */
  attempts: number;
  /** Why it failed or was cancelled. */
  error?: ErrorRecord;
  result?: StageResult;
}

/** run.json as earlier versions wrote it: another word for a state, and the error as its text. */
interface FirstFormat extends Omit<RunRecord, "formatVersion" | "state" | "error"> {
  formatVersion?: 1;
  status: "running" | "finished" | "cancelled" | "failed";
  error?: string;
}

/** run.json of a directory; undefined when there is none. Throws data_loss when it cannot be read. */
export async function readRunRecord(runDir: string): Promise<RunRecord | undefined> {
  const file = join(runDir, "run.json");
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw cannotUse(runDir, thrown);
  }
  try {
    return inThisFormat(JSON.parse(text) as RunRecord | FirstFormat);
  } catch (thrown) {
    throw new StagecraftError("data_loss", `${file} is not valid JSON; overwrite the run`, {
      cause: thrown,
    });
  }
}

/** What is true of a run now: who works on it, and that it has failed if nobody does and it should run. */
export async function lookAtRun(
  runDir: string,
): Promise<(RunRecord & { heldBy?: string }) | undefined> {
  const record = await readRunRecord(runDir);
  if (record?.state !== "running") return record;
  const heldBy = await runHolder(runDir);
  return heldBy ? { ...record, heldBy } : { ...record, state: "failed", error: INTERRUPTED };
}

/** Why a run failed whose process ended without a word. */
export const INTERRUPTED: ErrorRecord = {
  code: "aborted",
  message: "its process ended while the run was working; resume it",
};

/** A directory that cannot hold a run, or whose run cannot be read. */
export function cannotUse(dir: string, thrown: unknown): StagecraftError {
  const { code, reason } = StagecraftError.from(thrown);
  return new StagecraftError(code, `cannot use run directory ${dir}: ${reason}`, { cause: thrown });
}

function inThisFormat(stored: RunRecord | FirstFormat): RunRecord {
  if (!("status" in stored)) return stored;
  const { status, error, ...rest } = stored;
  const state = status === "finished" ? "succeeded" : status;
  return {
    ...rest,
    formatVersion: 2,
    state,
    ...(error !== undefined && { error: errorOf(error) }),
  };
}

function errorOf(text: string): ErrorRecord {
  const code = ERROR_CODES.find((each) => text.startsWith(`[${each}] `));
  return code
    ? { code, message: text.slice(`[${code}] `.length) }
    : { code: "internal", message: text };
}

/** What runs of any stage could leave before each noted its own. */
const LEFT_UNNOTED: Leaves = {
  "answers.jsonl": "work",
  "rankings.jsonl": "work",
  "rankings-heldout.jsonl": "work",
  "requests.jsonl": "work",
  world: "work",
  rounds: "work",
  "loop.jsonl": "work",
  members: "runs",
  tokenizer: "scratch",
  corpus: "scratch",
  "ptx-corpus": "scratch",
  rollouts: "scratch",
  "reward-report.json": "scratch",
  "evaluation.json": "scratch",
  "loop-state.json": "scratch",
};

/** What the stage of a run leaves; of a run that does not say, or whose record is damaged, all there was. */
export function leavesOf(record: Pick<RunRecord, "leaves"> | undefined): Leaves {
  return record?.leaves ?? LEFT_UNNOTED;
}
