import { basename } from "node:path";
import {
  ancestorsOf,
  readLineage,
  UNKNOWN,
  weightsHash,
  writeLineage,
  type DataFile,
  type Lineage,
  type Parent,
} from "@stagecraft/registry";
import type { ReadFile } from "./input-hashes.js";
import type { RunRecord } from "./run-record.js";
import type { StageInput } from "../stage/stage-input.js";
import type { StageResult } from "../stage/stage.js";
import { shownPath, withShownPaths } from "./shown-path.js";

/** What a model will have been made from: known when the run begins, for all of it may be gone at its end. */
export type Origins = Pick<Lineage, "parents" | "data" | "ancestors" | "numAncestorsLeftOut">;

/** A run whose model has been written. */
interface FinishedRun {
  modelDir: string;
  record: Readonly<RunRecord>;
  origins: Origins;
  checkOwned(): void;
}

/** Looks at the models and data that a run reads. */
export async function originsOf(
  reads: readonly StageInput[],
  files: readonly ReadFile[],
): Promise<Origins> {
  const parents: Parent[] = [];
  const lineages: Lineage[] = [];
  for (const input of reads.filter(({ kind }) => kind === "model")) {
    const { parent, lineage } = await parentOf(input, files);
    parents.push(parent);
    if (lineage) lineages.push(lineage);
  }
  const data = files.filter(({ input }) => input.kind !== "model").map(asData);
  return { parents, data, ...ancestorsOf(lineages) };
}

/** Writes down where the run's model comes from, beside its weights; no path of this machine with it. */
export async function noteLineage(run: FinishedRun, { metrics }: StageResult): Promise<void> {
  const { stage, seed, config, startedAt } = run.record;
  const { commit = UNKNOWN, ...versions } = run.record.versions;
  const [figures, speeds] = withoutSpeeds(metrics);
  const times = { startedAt, finishedAt: new Date().toISOString(), ...speeds };
  const made = {
    stage,
    seed,
    config: withShownPaths(config),
    ...run.origins,
    figures,
    versions,
    commit,
    times,
  };
  await writeLineage(run.modelDir, made, { guard: () => run.checkOwned() });
}

async function parentOf({ field, path: read }: StageInput, files: readonly ReadFile[]) {
  const path = shownPath(read);
  const own = files.filter(({ input }) => input.field === field && input.path === read);
  const sha256 = weightsHash(
    Object.fromEntries(own.map((file) => [basename(file.name), file.sha256])),
  );
  if (sha256 === undefined) {
    const note = "its weights were not to be read here";
    return { parent: { field, path, sha256: UNKNOWN, stage: UNKNOWN, note } };
  }
  const found = await readLineage(read, sha256);
  if (!found.lineage) {
    return { parent: { field, path, sha256, stage: UNKNOWN, note: found.reason } };
  }
  return { parent: { field, path, sha256, stage: found.lineage.stage }, lineage: found.lineage };
}

function asData({ input, name, sha256, bytes, lines, numFiles }: ReadFile): DataFile {
  return {
    ...{ field: input.field, path: shownPath(name), sha256, sizeBytes: bytes },
    ...(lines !== undefined && { numLines: lines }),
    ...(numFiles !== undefined && { numFiles }),
  };
}

/** Figures that two equal runs share, and those that tell how fast the machine was. */
function withoutSpeeds(metrics: Readonly<Record<string, number>>) {
  const isSpeed = ([name]: [string, number]) => /PerSecond$|Ms$|Seconds$/.test(name);
  const entries = Object.entries(metrics);
  const figures = entries.filter((entry) => !isSpeed(entry));
  return [Object.fromEntries(figures), Object.fromEntries(entries.filter(isSpeed))] as const;
}
