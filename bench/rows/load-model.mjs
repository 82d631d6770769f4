import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execFileSync } from "node:child_process";
import { makeBound } from "../lib/row.mjs";

const SCRIPT = join(import.meta.dirname, "..", "ours", "load-model.mjs");

/** Peak resident memory of a process that reads a model of about 1 GB, as a multiple of its weights. */
const loadModel = (family, dtype) => ({
  name: `load-model-${family}`,
  summary: `memory while a ${family} of about 1 GB is read, ${dtype} in the file, float32 in memory`,
  seconds: 15,
  async run() {
    const dir = mkdtempSync(join(tmpdir(), "bench-load-"));
    try {
      execFileSync(process.execPath, [SCRIPT, "write", join(dir, "model"), family, dtype]);
      const line = execFileSync(process.execPath, [SCRIPT, "read", join(dir, "model")]).toString();
      const { weightBytes, peakBytes } = JSON.parse(line);
      const ours = peakBytes / weightBytes;
      const unit = "peak resident / weights in float32";
      const name = `load-model-${family}-memory`;
      return [makeBound({ name, ours, unit, target: 1.2, goal: "atMost", weightBytes, peakBytes })];
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
});

/** Weights that are widened and divided, and weights that are transposed. */
export const LOAD_MODEL = [loadModel("phi3", "BF16"), loadModel("gpt2", "F32")];
