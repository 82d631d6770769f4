import type { JsonObject } from "@stagecraft/core";
import type { InputHashes } from "./input-hashes.js";
import type { Leaves, StageResult } from "../stage/stage.js";

export type RunStatus = "running" | "finished" | "cancelled" | "failed";

/** run.json: what ran, with which frozen configuration, and how it ended. */
export interface RunRecord {
  formatVersion: 1;
  stage: string;
  status: RunStatus;
  seed: number | null;
  config: JsonObject;
  /** What was read, by content; runs of older versions have none. */
  inputs?: InputHashes;
  /** What the stage leaves beside this file, for whoever replaces the run; see `leavesOf`. */
  leaves?: Leaves;
  versions: Record<string, string>;
  startedAt: string;
  updatedAt: string;
  /** How many times the run was started or resumed. */
  attempts: number;
  error?: string;
  result?: StageResult;
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
