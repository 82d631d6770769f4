import { StagecraftError } from "@stagecraft/core";
import { placeOf, type Origin } from "./origin.js";
import type { RecordOptions } from "./types.js";

/** Thrown by record parsers for a record that is wrong; readers name its place, or skip it. */
export class RecordProblem extends Error {}

/** Decides between skipping a bad record and stopping. */
export interface BadRecordPolicy {
  /** Counts the record, or throws `invalid_argument` when the limit is passed. */
  reject(origin: Origin, reason: string): void;
  readonly count: number;
}

/** One policy covers everything read in one call, over all files. */
export function createBadRecordPolicy(options: RecordOptions): BadRecordPolicy {
  const { maxBadRecords = 0, onBadRecord } = options;
  let count = 0;
  return {
    get count() {
      return count;
    },
    reject(origin, reason) {
      count++;
      const { file, line } = origin;
      const message = `${placeOf(origin)}: ${reason}`;
      if (count <= maxBadRecords) {
        onBadRecord?.({ file, line, reason, message });
        return;
      }
      const advice =
        maxBadRecords === 0
          ? "correct the record, or allow some to be skipped with maxBadRecords"
          : `this is malformed record ${count}, and maxBadRecords is ${maxBadRecords}`;
      throw new StagecraftError("invalid_argument", `${message}; ${advice}`, {
        details: { file, line, reason },
      });
    },
  };
}
