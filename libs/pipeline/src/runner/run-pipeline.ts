import { mkdir } from "node:fs/promises";
import { formatDuration, StagecraftError, throwIfAborted, type JsonObject } from "@stagecraft/core";
import {
  acquireRunLock,
  changedFields,
  hashInputs,
  inputChanges,
  listed,
  readRunRecord,
  type InputHashes,
  type StageContext,
  type StageResult,
} from "@stagecraft/runs";
import {
  fingerprint,
  openPipelineState,
  readFinished,
  type PipelineState,
  type StageRecord,
} from "./pipeline-state.js";
import { checkPlan } from "./check-plan.js";
import { resolveConfig, type PlannedStage } from "./plan.js";
import type { Bindings } from "./references.js";

export interface RunPipelineOptions {
  runDir: string;
  variables: Bindings;
  /** Stages to run again from scratch, together with all that use their outputs. */
  rerun: readonly string[];
  /** Name of that rerun: by the same one it happens once, however often it is asked for. */
  rerunId?: string | undefined;
  /** Called first, once the directory exists and is this process's. */
  prepare?: () => Promise<void>;
  context: Pick<StageContext, "signal" | "reporter">;
  /** Called after a stage that ran, not after one that was finished before. */
  onFinished?: (stage: PlannedStage, record: StageRecord) => void;
  now?: () => Date;
}

/**
 * Runs a planned pipeline from top to bottom, in a directory that no other process may use meanwhile.
 * Finished stages are skipped, an interrupted one resumes from its checkpoint. A finished stage whose
 * configuration or input has changed (by content) is refused unless named in `rerun`.
 */
export async function runPipeline(
  plan: readonly PlannedStage[],
  options: RunPipelineOptions,
): Promise<Map<string, StageRecord>> {
  await mkdir(options.runDir, { recursive: true });
  const lock = await acquireRunLock(options.runDir);
  try {
    await options.prepare?.();
    await checkPlan(plan, { ...options, finished: await stagesToSkip(plan, options) });
    return await runStages(plan, options);
  } finally {
    await lock.release();
  }
}

/** Finished stages that stay so. */
export async function stagesToSkip(
  plan: readonly PlannedStage[],
  { runDir, rerun, rerunId }: Pick<RunPipelineOptions, "runDir" | "rerun" | "rerunId">,
): Promise<Set<string>> {
  return readFinished(runDir, { ids: withDependents(plan, rerun), rerunId });
}

async function runStages(
  plan: readonly PlannedStage[],
  options: RunPipelineOptions,
): Promise<Map<string, StageRecord>> {
  const state = await openPipelineState(options.runDir);
  if (options.rerun.length > 0) {
    await state.drop(withDependents(plan, options.rerun), options.rerunId);
  }
  const records = new Map<string, StageRecord>();
  const bindings = new Map(options.variables);
  for (const [i, stage] of plan.entries()) {
    throwIfAborted(options.context.signal);
    const place = `${i + 1} of ${plan.length}`;
    const record = await runOrSkip(stage, { ...options, state, bindings, records, place });
    records.set(stage.id, record);
    for (const [name, path] of outputsOf(record.result)) bindings.set(`${stage.id}.${name}`, path);
  }
  return records;
}

interface StageScope extends RunPipelineOptions {
  state: PipelineState;
  bindings: Bindings;
  records: ReadonlyMap<string, StageRecord>;
  /** Which of the stages it is, such as `3 of 9`. */
  place: string;
}

async function runOrSkip(stage: PlannedStage, scope: StageScope): Promise<StageRecord> {
  const { reporter, signal } = scope.context;
  const config = resolveConfig(stage, scope.bindings);
  const inputs = stage.uses.map((id) => {
    const { fingerprint: input, finishedAt } = scope.records.get(id)!;
    return `${id} ${input} ${finishedAt}`;
  });
  const wanted = fingerprint(stage.definition.name, config, inputs);
  const read = (missing: "refuse" | "leave out") =>
    hashInputs(stage.definition.inputs?.(config) ?? [], { signal, reporter, missing });
  const finished = scope.state.get(stage.id);
  if (finished) {
    const before = finished.inputs ?? {};
    const there = {
      ...(await read("leave out")),
      ...(await newestOf(stage, config, before, scope)),
    };
    return stillStands(stage, finished, { config, uses: inputs, inputs: there, reporter });
  }
  const hashes = await read("refuse");
  reporter.info(`${stage.id} (stage ${scope.place}): ${stage.definition.summary}`);
  const { now = () => new Date() } = scope;
  const startMs = now().getTime();
  const overwrite = await isOutdated(stage, scope.state);
  const context = {
    runDir: stage.runDir,
    resume: !overwrite,
    overwrite,
    startOver: `--rerun ${stage.id}`,
    named: namedBy(scope.records),
    signal,
    reporter,
  };
  const result = await stage.definition.run(config, context);
  const finishedAt = now();
  const durationMs = finishedAt.getTime() - startMs;
  const brought = await stage.definition.remote?.used(config, stage.runDir);
  const record = {
    fingerprint: wanted,
    inputs: { ...hashes, ...brought },
    finishedAt: finishedAt.toISOString(),
    durationMs,
    result,
  };
  await scope.state.put(stage.id, record);
  reporter.info(`${stage.id}: done in ${formatDuration(durationMs)}`);
  scope.onFinished?.(stage, record);
  return record;
}

/** What names without a version meant to the stages before: one thing for the whole of a pipeline. */
function namedBy(records: StageScope["records"]): Record<string, string> {
  const all = [...records.values()].reverse().flatMap(({ inputs = {} }) => Object.entries(inputs));
  return Object.fromEntries(all.filter(([name]) => isRemote(name)));
}

const isRemote = (name: string) => /^\w+:\/\//.test(name);

/**
 * What a finished stage brought from elsewhere, with the versions of now. Where nobody can be asked, what there was
 * stands: the work is done.
 */
async function newestOf(
  { id, definition }: PlannedStage,
  config: unknown,
  before: InputHashes,
  { context }: StageScope,
): Promise<InputHashes> {
  const { signal, reporter } = context;
  try {
    const newest = (await definition.remote?.newest(config, signal)) ?? {};
    // Stages that older versions finished have noted none.
    return Object.fromEntries(Object.entries(newest).filter(([name]) => name in before));
  } catch (thrown) {
    throwIfAborted(signal);
    const { reason } = StagecraftError.from(thrown);
    reporter.warn(`${id}: whether there are newer models is not known: ${reason}`);
    return Object.fromEntries(Object.entries(before).filter(([name]) => isRemote(name)));
  }
}

/** Whether what the directory holds is from before the stage was to run again, maybe in an earlier call. */
async function isOutdated({ id, runDir }: PlannedStage, state: PipelineState): Promise<boolean> {
  const droppedAt = state.droppedAt(id);
  if (droppedAt === undefined) return false;
  const ran = await readRunRecord(runDir);
  return ran === undefined || ran.startedAt < droppedAt;
}

interface StageNow {
  config: unknown;
  /** Fingerprints of the stages before it. */
  uses: readonly string[];
  inputs: InputHashes;
  reporter: StageContext["reporter"];
}

/** The record of a finished stage. Throws `failed_precondition` when what went in is different now. */
async function stillStands(
  stage: PlannedStage,
  finished: StageRecord,
  now: StageNow,
): Promise<StageRecord> {
  const { id } = stage;
  const files = inputChanges(finished.inputs ?? now.inputs, now.inputs);
  const gone = files.filter((change) => change.endsWith(" is gone"));
  const changes = files.filter((change) => !gone.includes(change));
  changes.unshift(...(await configChanges(stage, finished, now)));
  if (changes.length > 0) throw changedStage(id, changes);
  const note = gone.length > 0 ? ` (of its input ${listed(gone)})` : "";
  now.reporter.info(`${id}: finished already, skipped${note}`);
  return finished;
}

/** What differs from the configuration that the stage ran with, and from the stages before it. */
async function configChanges(
  { definition, runDir }: PlannedStage,
  finished: StageRecord,
  { config, uses }: StageNow,
): Promise<string[]> {
  const { name } = definition;
  if (fingerprint(name, config, uses) === finished.fingerprint) return [];
  const ran = await readRunRecord(runDir).catch(() => undefined);
  if (ran === undefined) return ["its configuration or a stage before it has changed"];
  const now = JSON.parse(JSON.stringify(config)) as JsonObject;
  const fields = changedFields(ran.config, now, definition);
  // Only fields that are younger than the run, at their defaults.
  if (fields.length === 0 && fingerprint(name, ran.config, uses) === finished.fingerprint)
    return [];
  return [fields.length > 0 ? listed(fields) : "a stage before it has changed"];
}

function changedStage(id: string, changes: readonly string[]): StagecraftError {
  return new StagecraftError(
    "failed_precondition",
    `stage ${id} is finished, but what went into it is different now: ${listed(changes)}. Run it and what depends on it again with --rerun ${id}, put back what was there, or choose another run directory`,
    { details: { stage: id, changes: [...changes] } },
  );
}

/** `model` is the model directory; the rest by the names the stage gave. */
function outputsOf(result: StageResult): [string, string][] {
  const outputs = Object.entries(result.outputs);
  return result.modelDir === undefined ? outputs : [...outputs, ["model", result.modelDir]];
}

/** The named stages with all that use their outputs. Throws `invalid_argument` for one that is not there. */
export function withDependents(plan: readonly PlannedStage[], ids: readonly string[]): Set<string> {
  for (const id of ids) {
    if (plan.some((stage) => stage.id === id)) continue;
    const known = plan.map((stage) => stage.id).join(", ");
    throw new StagecraftError("invalid_argument", `--rerun ${id}: no such stage; known: ${known}`);
  }
  const again = new Set(ids);
  for (const { id, uses } of plan) if (uses.some((used) => again.has(used))) again.add(id);
  return again;
}
