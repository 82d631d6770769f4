import { invalidField } from "./check.js";

const RUN_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$/;

/** A run id that is safe as a file name, a subject token and a part of a consumer's name. */
export function parseRunId(runId: string, field = "run_id"): string {
  if (RUN_ID.test(runId)) return runId;
  throw invalidField(
    field,
    runId,
    'a letter or digit, then letters, digits, "_" or "-", 48 characters at most',
  );
}

/**
 * The name of a folder directly in the runs folder, where a trainer that starts again finds its runs;
 * empty is allowed.
 */
export function parseRunDirName(name: string): string {
  // eslint-disable-next-line no-control-regex
  const isName = !/[/\\\0-\x1f\x7f]/.test(name) && name !== "." && name !== "..";
  if (isName && Buffer.byteLength(name) <= 255) return name;
  throw invalidField(
    "run_dir",
    name,
    'the name of one folder: no "/", "." or "..", at most 255 bytes',
  );
}
