import { StagecraftError, type JsonObject } from "@stagecraft/core";
import { inputChanges, type InputHashes } from "./input-hashes.js";
import { withoutCachePlace } from "./cache-place.js";
import type { RunRecord } from "./run-record.js";
import type { StageFacts } from "../stage/stage.js";

/** What is about to be done in a directory that has a run already. */
export interface RunAgain {
  stage: StageFacts;
  config: object;
  inputs: InputHashes;
  resume: boolean;
  /** What replaces the run; default `--overwrite`. */
  startOver?: string | undefined;
}

/** Fields of every stage that may differ between a run and its resumption: they change no result. */
const MAY_CHANGE = ["engine", "plugin", "threads", "logEvery", "keepCheckpoints"];

/** Why the run in the directory can be neither resumed nor begun anew; undefined when it can. */
export function refusalOf(
  dir: string,
  earlier: RunRecord,
  again: RunAgain,
): StagecraftError | undefined {
  const startOver = again.startOver ?? "--overwrite";
  if (!again.resume) {
    return new StagecraftError(
      "failed_precondition",
      `${dir} already holds a run of ${earlier.stage} (${earlier.state}); resume it (--resume), replace it (${startOver}), or choose another run directory`,
      { details: { runDir: dir, state: earlier.state } },
    );
  }
  if (earlier.stage !== again.stage.name) {
    return new StagecraftError(
      "failed_precondition",
      `${dir} holds a run of ${earlier.stage}, which ${again.stage.name} cannot resume; replace it (${startOver}) or choose another run directory`,
    );
  }
  return changeOf(dir, earlier, { ...again, startOver });
}

function changeOf(
  dir: string,
  earlier: RunRecord,
  again: RunAgain & { startOver: string },
): StagecraftError | undefined {
  const fields = changedFields(earlier.config, again.config as JsonObject, again.stage);
  if (fields.length > 0) {
    return new StagecraftError(
      "failed_precondition",
      `${dir} was started with another configuration and cannot be resumed exactly: ${fields.join("; ")}. Resume it with the old values, or start over with ${again.startOver}`,
      { details: { runDir: dir, changed: fields } },
    );
  }
  const files = earlier.inputs ? inputChanges(earlier.inputs, again.inputs) : [];
  if (files.length === 0) return undefined;
  return new StagecraftError(
    "failed_precondition",
    `the input of ${dir} is not what it was when the run began, so it cannot be resumed exactly: ${listed(files)}. Put the old content back and resume it, or start over with ${again.startOver}`,
    { details: { runDir: dir, changed: files } },
  );
}

/** The first of many sentences, and how many more there are. */
export function listed(sentences: readonly string[], limit = 5): string {
  const more = sentences.length - limit;
  return `${sentences.slice(0, limit).join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
}

/**
 * Fields of a configuration that differ, with both values; those that change no result left out. A
 * field that is younger than the run had, in effect, the schema's default.
 */
export function changedFields(
  before: JsonObject,
  after: JsonObject,
  { schema, mayChange = [] }: Pick<StageFacts, "schema" | "mayChange">,
): string[] {
  const passed = [...MAY_CHANGE, ...mayChange];
  const fields = new Set([...Object.keys(before), ...Object.keys(after)]);
  const text = (value: unknown) => JSON.stringify(value) ?? "unset";
  const defaultOf = (field: string): unknown => schema?.shape[field]?.safeParse(undefined).data;
  const was = (field: string) => text(field in before ? before[field] : defaultOf(field));
  const differs = (field: string) =>
    withoutCachePlace(was(field)) !== withoutCachePlace(text(after[field]));
  return [...fields]
    .filter((field) => !passed.includes(field) && differs(field))
    .map((field) => `${field} was ${was(field)}, now ${text(after[field])}`);
}
