import { closeSync, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { StagecraftError, type JsonObject } from "@stagecraft/core";

/**
 * metrics.jsonl: one JSON object a line, appended and never rewritten. The length in bytes goes into
 * every checkpoint, so that a resumed run cuts off what the lost steps had written.
 */
export interface MetricsLog {
  /** Appends one record; the line is in the file when this returns. NaN and ±Infinity become null. */
  write(record: JsonObject): void;
  sizeBytes(): number;
  /** Drops everything after `sizeBytes`; a file that is shorter stays as it is. */
  truncate(sizeBytes: number): void;
  close(): void;
}

/** Opens or creates the file. `guard` throws when this process may no longer write to it. */
export function openMetricsLog(
  file: string,
  { guard = () => undefined }: { guard?: () => void } = {},
): MetricsLog {
  const descriptor = openSync(file, "a");
  const sizeBytes = () => fstatSync(descriptor).size;
  return {
    write(record) {
      guard();
      try {
        writeSync(descriptor, `${JSON.stringify(record)}\n`);
      } catch (thrown) {
        const error = StagecraftError.from(thrown);
        throw new StagecraftError(error.code, `cannot write ${file}: ${error.reason}`, {
          cause: thrown,
        });
      }
    },
    sizeBytes,
    truncate(target) {
      guard();
      if (target < sizeBytes()) ftruncateSync(descriptor, target);
    },
    close: () => closeSync(descriptor),
  };
}
