import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root } from "../setup/main.mjs";
import { StepError } from "../setup/steps.mjs";

const NUM_STEPS = 250;

/**
 * Largest difference of a step's loss. The two engines round differently (about 5e-7 at the first
 * step) and training may amplify that; another seed moves the loss of a step by some 5e-2.
 */
const TOLERANCE = 1e-4;

/**
 * @typedef {object} Other
 * @property {string} engine the engine to compare with native
 * @property {readonly string[]} [flags] of `stagecraft pretrain`, which that engine needs
 * @property {NodeJS.ProcessEnv} env
 */

/**
 * Trains nanoGPT's CPU setting on examples/data on two engines from the same seed, prints both curves, and fails when
 * they part.
 * @param {import("../setup/steps.mjs").Steps} steps
 * @param {Other} other
 * @returns {Promise<number>} the exit code
 */
export async function compareCurves(steps, { engine, flags = [], env }) {
  const dir = join(root, ".stagecraft", `${engine}-curve`);
  mkdirSync(dir, { recursive: true });
  const native = await train(steps, { engine: "native", flags: [], dir, env });
  const other = await train(steps, { engine, flags, dir, env });
  rmSync(dir, { recursive: true });
  const { table, largest, step } = compare(native, other, engine);
  console.log(table);
  const verdict = largest < TOLERANCE ? "the same curve" : "DIFFERENT CURVES";
  console.log(`largest difference ${largest.toExponential(2)} at step ${step}: ${verdict}`);
  return largest < TOLERANCE ? 0 : 1;
}

/**
 * @param {import("../setup/steps.mjs").Steps} steps
 * @param {Required<Other> & { dir: string }} options
 * @returns {Promise<number[]>} the loss of every step
 */
async function train(steps, { engine, flags: own, dir, env }) {
  const run = join(dir, engine);
  const cli = join(root, "libs", "cli", "bin", "stagecraft.mjs");
  const settings = ["--config", join("examples", "nanogpt-cpu.yaml"), "--steps", `${NUM_STEPS}`];
  const config = [...settings, "--corpus", join("examples", "data", "text.txt")];
  const records = ["--log-every", "1", "--eval-every", "0", "--eval-batches", "1"];
  const flags = [...config, ...records, "--checkpoint-every", "0", "--run", run, "--overwrite"];
  const command = [process.execPath, cli, "pretrain", ...flags, "--engine", engine, ...own];
  await steps.command(`${NUM_STEPS} steps on ${engine}`, command, { cwd: root, env });
  const used = JSON.parse(readFileSync(join(run, "run.json"), "utf8"));
  if (!JSON.stringify(used).includes(`"${engine} (`)) {
    throw new StepError(`the run in ${run} did not use the engine ${engine}`);
  }
  return readLosses(readFileSync(join(run, "metrics.jsonl"), "utf8"));
}

/**
 * @param {string} metrics the text of a metrics.jsonl
 * @returns {number[]}
 */
export function readLosses(metrics) {
  const records = metrics.split("\n").filter(Boolean);
  return records
    .map((line) => JSON.parse(line))
    .filter(({ kind }) => kind === "train")
    .map(({ loss }) => loss);
}

/**
 * @param {readonly number[]} native
 * @param {readonly number[]} other
 * @param {string} engine the other's name
 * @returns {{ table: string, largest: number, step: number }}
 */
export function compare(native, other, engine) {
  if (native.length === 0 || native.length !== other.length) {
    throw new StepError(`${native.length} steps on native, ${other.length} on ${engine}`);
  }
  const differences = native.map((loss, i) => Math.abs(loss - (other[i] ?? NaN)));
  const largest = Math.max(...differences); // NaN as soon as one is
  const every = Math.max(1, Math.floor(native.length / 10));
  const rows = native.flatMap((loss, i) => {
    const cells = [loss.toFixed(6), other[i]?.toFixed(6), differences[i]?.toExponential(1)];
    if (i > 0 && (i + 1) % every !== 0) return [];
    return [[String(i + 1).padStart(5), ...cells.map((cell) => cell?.padStart(11))].join(" ")];
  });
  const head = [" step", ...["native", engine, "difference"].map((name) => name.padStart(11))];
  return {
    table: [head.join(" "), ...rows].join("\n"),
    largest,
    step: differences.findIndex((value) => Object.is(value, largest)) + 1,
  };
}
