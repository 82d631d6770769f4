import { mkdir } from "node:fs/promises";
import { formatDuration, StagecraftError, throwIfAborted } from "@stagecraft/core";
import { acquireRunLock, type StageContext, type StageResult } from "@stagecraft/learn";
import {
  clearPipeline,
  fingerprint,
  openPipelineState,
  type PipelineState,
  type StageRecord,
} from "./pipeline-state.js";
import { resolveConfig, type PlannedStage } from "./plan.js";
import type { Bindings } from "./references.js";

export interface RunPipelineOptions {
  runDir: string;
  variables: Bindings;
  /** Stages to run again from scratch, together with all that use their outputs. */
  rerun: readonly string[];
  /** Delete an earlier pipeline's run first. Default false. */
  fresh?: boolean;
  context: Pick<StageContext, "signal" | "reporter">;
  now?: () => Date;
}

/**
 * Runs a planned pipeline from top to bottom, in a directory that no other process may use meanwhile. Finished stages are skipped, an interrupted one resumes
 * from its checkpoint. A finished stage whose inputs have changed is refused unless named in `rerun`.
 */
export async function runPipeline(
  plan: readonly PlannedStage[],
  options: RunPipelineOptions,
): Promise<Map<string, StageRecord>> {
  await mkdir(options.runDir, { recursive: true });
  const lock = await acquireRunLock(options.runDir);
  try {
    if (options.fresh) await clearPipeline(options.runDir);
    return await runStages(plan, options);
  } finally {
    await lock.release();
  }
}

async function runStages(
  plan: readonly PlannedStage[],
  options: RunPipelineOptions,
): Promise<Map<string, StageRecord>> {
  const state = await openPipelineState(options.runDir);
  const again = withDependents(plan, options.rerun);
  for (const id of again) await state.drop(id);
  const records = new Map<string, StageRecord>();
  const bindings = new Map(options.variables);
  for (const stage of plan) {
    throwIfAborted(options.context.signal);
    const overwrite = again.has(stage.id);
    const record = await runOrSkip(stage, { ...options, state, bindings, records, overwrite });
    records.set(stage.id, record);
    for (const [name, path] of outputsOf(record.result)) bindings.set(`${stage.id}.${name}`, path);
  }
  return records;
}

interface StageScope extends RunPipelineOptions {
  state: PipelineState;
  bindings: Bindings;
  records: ReadonlyMap<string, StageRecord>;
  overwrite: boolean;
}

async function runOrSkip(stage: PlannedStage, scope: StageScope): Promise<StageRecord> {
  const { reporter, signal } = scope.context;
  const config = resolveConfig(stage, scope.bindings);
  const inputs = stage.uses.map((id) => {
    const { fingerprint: input, finishedAt } = scope.records.get(id)!;
    return `${id} ${input} ${finishedAt}`;
  });
  const wanted = fingerprint(stage.definition.name, config, inputs);
  const finished = scope.state.get(stage.id);
  if (finished?.fingerprint === wanted) {
    reporter.info(`${stage.id}: finished already, skipped`);
    return finished;
  }
  if (finished) throw changedInputs(stage.id);
  reporter.info(`${stage.id}: ${stage.definition.summary}`);
  const { now = () => new Date() } = scope;
  const startMs = now().getTime();
  const context = {
    runDir: stage.runDir,
    resume: !scope.overwrite,
    overwrite: scope.overwrite,
    signal,
    reporter,
  };
  const result = await stage.definition.run(config, context);
  const finishedAt = now();
  const durationMs = finishedAt.getTime() - startMs;
  const record = { fingerprint: wanted, finishedAt: finishedAt.toISOString(), durationMs, result };
  await scope.state.put(stage.id, record);
  reporter.info(`${stage.id}: done in ${formatDuration(durationMs)}`);
  return record;
}

function changedInputs(id: string): StagecraftError {
  return new StagecraftError(
    "failed_precondition",
    `stage ${id} is finished, but its configuration or an input has changed since; run it and what depends on it again with --rerun ${id}, or choose another run directory`,
  );
}

/** `model` is the model directory; the rest by the names the stage gave. */
function outputsOf(result: StageResult): [string, string][] {
  const outputs = Object.entries(result.outputs);
  return result.modelDir === undefined ? outputs : [...outputs, ["model", result.modelDir]];
}

function withDependents(plan: readonly PlannedStage[], ids: readonly string[]): Set<string> {
  for (const id of ids) {
    if (plan.some((stage) => stage.id === id)) continue;
    const known = plan.map((stage) => stage.id).join(", ");
    throw new StagecraftError("invalid_argument", `--rerun ${id}: no such stage; known: ${known}`);
  }
  const again = new Set(ids);
  for (const { id, uses } of plan) if (uses.some((used) => again.has(used))) again.add(id);
  return again;
}
