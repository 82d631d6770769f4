import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, cpus, release, tmpdir, totalmem, type } from "node:os";
import { join } from "node:path";
import { SHAPES } from "../machine/shapes.mjs";
import { benchDir, ours, python } from "./peers.mjs";
import { BenchProcess } from "./process.mjs";
import { median, tidy } from "./stats.mjs";

/** What the machine is. */
export function machineFacts() {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryGb: tidy(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version,
  };
}

/**
 * What the machine can do right now, asked between the rounds of a row: peak of fused multiply-adds,
 * read bandwidth, the rate of our own matrix product and of OpenBLAS. A part that cannot run (no
 * compiler, no OpenBLAS) is left out and told once.
 */
export class MachineLimits {
  static async start(threads, warn) {
    const folder = mkdtempSync(join(tmpdir(), "stagecraft-bench-"));
    const limits = new MachineLimits(folder);
    await limits.add("limits", warn, () => BenchProcess.start(compile(folder), [String(threads)]));
    await limits.add("sgemm", warn, () => {
      const { command, args } = ours("machine/sgemm.mjs", [threads]);
      return BenchProcess.start(command, args);
    });
    await limits.add("openblas", warn, () => startOpenBlas(threads));
    return limits;
  }

  constructor(folder) {
    this.folder = folder;
    this.parts = new Map();
    this.all = [];
  }

  async add(name, warn, start) {
    try {
      this.parts.set(name, await start());
    } catch (error) {
      warn(`${name} is not measured: ${error.message}`);
    }
  }

  async sample() {
    const answers = {};
    for (const [name, part] of this.parts) answers[name] = await part.measure(1);
    const sample = {
      peakGflops: answers.limits?.gflops,
      readGbytes: answers.limits?.gbytes,
      sgemmGflops: answers.sgemm?.gflops,
      openblasGflops: answers.openblas?.gflops,
    };
    this.all.push(sample);
    return sample;
  }

  async close() {
    for (const part of this.parts.values()) await part.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Medians of samples, field by field. */
export function medianLimits(samples) {
  const names = ["peakGflops", "readGbytes", "sgemmGflops", "openblasGflops"];
  const entries = names.map((name) => {
    const values = samples.map((sample) => sample[name]).filter((value) => value !== undefined);
    return [name, values.length > 0 ? tidy(median(values)) : undefined];
  });
  return Object.fromEntries(entries);
}

function compile(folder) {
  const binary = join(folder, "limits");
  const source = join(benchDir, "machine", "limits.c");
  const flags = ["-O3", "-march=native", "-pthread", source, "-o", binary];
  execFileSync("cc", flags, { stdio: "pipe" });
  return binary;
}

function startOpenBlas(threads) {
  const env = { OPENBLAS_NUM_THREADS: String(threads) };
  const start = python("machine/openblas.py", [JSON.stringify(SHAPES)], env);
  if (!start) throw new Error("it comes with numpy, from `npm run bench:peers`");
  return BenchProcess.start(start.command, start.args, start.env);
}
