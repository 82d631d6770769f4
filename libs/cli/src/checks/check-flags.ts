import {
  describeConfig,
  type FieldDoc,
  parseConfig,
  parseText,
  UsageError,
} from "@stagecraft/config";
import { Option, type Command } from "commander";
import type { LearningCheck } from "./learning-check.js";

/** The flags of all checks, each telling whose it is; no two checks share a name. */
export function checkFlags(checks: readonly LearningCheck[]): Option[] {
  return checks.flatMap((check) =>
    fieldsOf(check).map(
      ({ flag, kind, doc, default: value }) =>
        new Option(`${flag} <${kind}>`, `${check.name}: ${doc} (default: ${String(value)})`),
    ),
  );
}

/** A check's own flags, validated; throws UsageError for bad values and flags of other checks. */
export async function readCheckOptions(
  check: LearningCheck,
  checks: readonly LearningCheck[],
  command: Command,
): Promise<unknown> {
  const given = (field: FieldDoc) => command.getOptionValueSource(field.name) === "cli";
  for (const other of checks.filter((each) => each !== check)) {
    const foreign = fieldsOf(other).find(given);
    if (foreign) throw new UsageError(`${foreign.flag} belongs to the check ${other.name}`);
  }
  if (!check.schema) return {};
  const values = command.opts<Record<string, string>>();
  const own = fieldsOf(check).filter(given);
  const raw = own.map((field) => [field.name, parseText(field, values[field.name]!)] as const);
  return UsageError.wrap(() =>
    parseConfig(check.schema!, Object.fromEntries(raw), { source: `check ${check.name}` }),
  );
}

function fieldsOf({ schema }: LearningCheck): FieldDoc[] {
  return schema ? describeConfig(schema) : [];
}
