import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { atomicWriteFile } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";
import type { InputHashes, StageResult } from "@stagecraft/learn";

/** What is remembered of a finished stage. */
export interface StageRecord {
  /** Hash of what went in: the stage, its configuration and the fingerprints of what it used. */
  fingerprint: string;
  /** What it read, by content; stages that older versions finished have none. */
  inputs?: InputHashes;
  finishedAt: string;
  durationMs: number;
  result: StageResult;
}

/** `pipeline.json` in the run directory: the finished stages, replaced atomically. */
export interface PipelineState {
  get(id: string): StageRecord | undefined;
  put(id: string, record: StageRecord): Promise<void>;
  drop(id: string): Promise<void>;
}

const STATE_FILE = "pipeline.json";

/** Reads the state, and writes it down at once: the file marks the directory as a pipeline's. */
export async function openPipelineState(runDir: string): Promise<PipelineState> {
  const file = join(runDir, STATE_FILE);
  const stages = new Map(Object.entries(await readStages(file)));
  const save = () =>
    atomicWriteFile(file, `${JSON.stringify({ stages: Object.fromEntries(stages) }, null, 2)}\n`);
  await save();
  return {
    get: (id) => stages.get(id),
    async put(id, record) {
      stages.set(id, record);
      await save();
    },
    async drop(id) {
      if (stages.delete(id)) await save();
    },
  };
}

async function readStages(file: string): Promise<Record<string, StageRecord>> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (thrown) {
    const error = StagecraftError.from(thrown);
    if (error.code === "not_found") return {};
    throw error;
  }
  try {
    return (JSON.parse(text) as { stages: Record<string, StageRecord> }).stages ?? {};
  } catch (thrown) {
    const message = `${file} is not valid JSON; delete it to look at every stage afresh`;
    throw new StagecraftError("data_loss", message, { cause: thrown });
  }
}

/** Identifies a stage's work: equal fingerprints mean that a finished result still stands. */
export function fingerprint(stage: string, config: unknown, inputs: readonly string[]): string {
  return createHash("sha256")
    .update(JSON.stringify([stage, config, inputs]))
    .digest("hex");
}
