import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { atomicWriteFile } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";
import type { InputHashes, StageResult } from "@stagecraft/runs";

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
  /** Remembers a finished stage. */
  put(id: string, record: StageRecord): Promise<void>;
  /** Forgets stages that are to run again from scratch; with an id those that it has not dropped before. */
  drop(ids: Iterable<string>, rerunId?: string): Promise<void>;
  /** When the stage was dropped, if it has not finished since: an older run of it does not count. */
  droppedAt(id: string): string | undefined;
}

interface StateFile {
  stages: Record<string, StageRecord>;
  /** When the stages that are to run again were dropped; kept until they are finished. */
  dropped?: Record<string, string>;
  /** The last id by which a stage was dropped: by the same one it is not dropped again. */
  reruns?: Record<string, string>;
}

const STATE_FILE = "pipeline.json";

/**
 * Ids of the stages that are finished in a directory, without those to be dropped; none where no pipeline has
 * run.
 */
export async function readFinished(
  runDir: string,
  drop: { ids: Iterable<string>; rerunId?: string | undefined },
): Promise<Set<string>> {
  const { stages, reruns = {} } = await readState(join(runDir, STATE_FILE));
  const finished = new Set(Object.keys(stages));
  for (const id of drop.ids) if (isNewRerun(reruns[id], drop.rerunId)) finished.delete(id);
  return finished;
}

/** Without an id every rerun is a new one. */
function isNewRerun(last: string | undefined, rerunId: string | undefined): boolean {
  return rerunId === undefined || last !== rerunId;
}

/** Reads the state, and writes it down at once: the file marks the directory as a pipeline's. */
export async function openPipelineState(runDir: string): Promise<PipelineState> {
  const file = join(runDir, STATE_FILE);
  const read = await readState(file);
  const stages = new Map(Object.entries(read.stages));
  const dropped = new Map(Object.entries(read.dropped ?? {}));
  const reruns = new Map(Object.entries(read.reruns ?? {}));
  const save = () => {
    const state: StateFile = {
      stages: Object.fromEntries(stages),
      ...(dropped.size > 0 && { dropped: Object.fromEntries(dropped) }),
      ...(reruns.size > 0 && { reruns: Object.fromEntries(reruns) }),
    };
    return atomicWriteFile(file, `${JSON.stringify(state, null, 2)}\n`);
  };
  await save();
  return {
    get: (id) => stages.get(id),
    async put(id, record) {
      stages.set(id, record);
      dropped.delete(id);
      await save();
    },
    async drop(ids, rerunId) {
      const now = new Date().toISOString();
      for (const id of ids) {
        if (!isNewRerun(reruns.get(id), rerunId)) continue;
        if (rerunId !== undefined) reruns.set(id, rerunId);
        stages.delete(id);
        dropped.set(id, now);
      }
      await save();
    },
    droppedAt: (id) => dropped.get(id),
  };
}

async function readState(file: string): Promise<StateFile> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (thrown) {
    const error = StagecraftError.from(thrown);
    if (error.code === "not_found") return { stages: {} };
    throw error;
  }
  try {
    return { stages: {}, ...(JSON.parse(text) as Partial<StateFile>) };
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
