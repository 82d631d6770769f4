import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBound } from "../lib/row.mjs";

const SCRIPT = join(import.meta.dirname, "..", "ours", "read-parquet.mjs");

/** Peak resident memory of a process that reads a parquet file of 1 GB, beyond the largest row group. */
const readParquet = (kind) => ({
  name: `read-parquet-${kind}`,
  summary: `memory while 1 GB of ${kind} in parquet is read, row groups of 100 MB`,
  seconds: 60,
  async run() {
    const dir = mkdtempSync(join(tmpdir(), "bench-parquet-"));
    try {
      const file = join(dir, "records.parquet");
      execFileSync(process.execPath, [SCRIPT, "write", file, kind]);
      const line = execFileSync(process.execPath, [SCRIPT, "read", file, kind]).toString();
      const facts = JSON.parse(line);
      const ours = (facts.peakBytes - facts.groupBytes) / 1e6;
      const name = `read-parquet-${kind}-memory`;
      const unit = "MB resident beyond the largest row group, Node included";
      return [makeBound({ name, ours, unit, target: 300, goal: "atMost", ...facts })];
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
});

/** Rows of one text, and rows of lists of messages. */
export const READ_PARQUET = [readParquet("texts"), readParquet("messages")];
