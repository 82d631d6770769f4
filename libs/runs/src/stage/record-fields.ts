import {
  columnsOf,
  recordFormatNames,
  type BadRecord,
  type RecordKinds,
  type RecordOptions,
} from "@stagecraft/data";
import { choice, whole } from "@stagecraft/fields";
import { z } from "zod";
import type { StageContext } from "./stage.js";

/** Fields of stages that read records of a kind: how they are read, and how many may be malformed. */
export function recordFields(kind: keyof RecordKinds) {
  return {
    format: choice(["auto", ...recordFormatNames(kind)], "auto").describe(
      "Format of the records (docs/data.md); auto: each is read as what it looks like",
    ),
    columns: z
      .array(z.string().regex(/^[^=,]+=[^=,]+(,[^=,]+=[^=,]+)*$/))
      .default([])
      .describe(
        "Columns under other names, FIELD=COLUMN, such as prompt=question,completion=answer",
      ),
    maxBadRecords: whole({ default: 0 }).describe("Malformed records to skip before stopping"),
  };
}

/** What such fields say to a reader; every record that is skipped is told. */
export function recordOptions(
  config: { format: string; columns: readonly string[]; maxBadRecords: number },
  { reporter, signal }: Pick<StageContext, "reporter" | "signal">,
): RecordOptions {
  return {
    format: config.format,
    columns: columnsOf(config.columns),
    maxBadRecords: config.maxBadRecords,
    onBadRecord: (bad: BadRecord) => reporter.warn(bad.message),
    signal,
  };
}
