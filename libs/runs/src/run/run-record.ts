import type { JsonObject } from "@stagecraft/core";
import type { InputHashes } from "./input-hashes.js";
import type { StageResult } from "../stage/stage.js";

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
  versions: Record<string, string>;
  startedAt: string;
  updatedAt: string;
  /** How many times the run was started or resumed. */
  attempts: number;
  error?: string;
  result?: StageResult;
}
