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

/** A relative path that stays inside the runs folder; empty is allowed. */
export function parseRunDirName(path: string): string {
  const parts = path.split("/");
  const escapes = path.startsWith("/") || path.includes("\\") || parts.includes("..");
  if (!escapes && !path.includes("\0")) return path;
  throw invalidField("run_dir", path, 'a relative path without ".."');
}
