import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { benchDir } from "../lib/peers.mjs";
import { makeBound } from "../lib/row.mjs";

const CLI = join(benchDir, "..", "libs", "cli", "bin", "stagecraft.mjs");
const NOTE_PEAK = pathToFileURL(join(benchDir, "lib", "note-peak.mjs")).href;
const STEPS = 3;

/**
 * Peak resident memory of `stagecraft sft` and then `stagecraft dpo`, each a process of its own, from a base model
 * in bfloat16, on data of HH-RLHF's shape whose records are as long as the context: with loading, evaluation,
 * checkpoints and the model that is written.
 */
export const stageMemory = (shape, { length, batch, rank }) => ({
  name: "lora-stages-135m",
  summary: "largest memory of the stages sft and dpo with LoRA on that shape",
  seconds: 180,
  async run({ threads }) {
    const dir = mkdtempSync(join(tmpdir(), "bench-stages-"));
    const numRecords = 2 * STEPS * batch;
    const node = (...args) => execFileSync(process.execPath, args.map(String), { stdio: "pipe" });
    const stage = (name, ...own) => {
      const peakFile = join(dir, `${name}.peak`);
      const how = ["--lora-rank", rank, "--context-length", length, "--threads", threads];
      const when = ["--validation-fraction", 0.5, "--eval-every", 2, "--checkpoint-every", 2];
      const args = [...own, "--run", join(dir, name), ...how, ...when, "--epochs", 1];
      const env = { ...process.env, BENCH_PEAK_FILE: peakFile };
      execFileSync(process.execPath, ["--import", NOTE_PEAK, CLI, name, ...args.map(String)], {
        ...{ env, stdio: "pipe" },
      });
      const ours = Number(readFileSync(peakFile, "utf8")) / 1e6;
      const row = { name: `lora-stages-${name}-memory`, ours, unit: "MB peak resident" };
      return makeBound({ ...row, target: 3000, goal: "atMost", threads });
    };
    try {
      const script = join(benchDir, "ours", "lora-stages.mjs");
      node(script, dir, ...Object.values(shape), length, numRecords);
      const [base, sft] = [join(dir, "base"), join(dir, "sft", "model")];
      return [
        stage("sft", "--model", base, "--data", join(dir, "sft.jsonl"), "--batch-size", batch),
        stage("dpo", "--model", sft, "--data", join(dir, "hh.jsonl"), "--batch-size", 1),
      ];
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
});
