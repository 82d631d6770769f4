import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { duel } from "../lib/duel.mjs";
import { benchDir, ours } from "../lib/peers.mjs";
import { duelRows, skippedRow } from "../lib/row.mjs";
import { SMALL } from "../lib/shapes.mjs";
import { tidy } from "../lib/stats.mjs";
import { NEW } from "./generate.mjs";
import { TRAINED } from "./train.mjs";

const built = join(benchDir, "..", ".stagecraft");
const plugin = process.env.XLA_PLUGIN || join(built, "xla", "pjrt_cpu_plugin.so");
const addon = join(benchDir, "..", "libs", "tensor-xla", "build", "stagecraft_xla.node");

/** NPROC is what XLA's CPU client takes for the number of processors. */
const XLA = { BENCH_ENGINE: "xla", XLA_PLUGIN: plugin, NPROC: "1" };
const TENSORFLOW = {
  ...{ BENCH_ENGINE: "tensorflow", TF_NUM_INTRAOP_THREADS: "1", TF_NUM_INTEROP_THREADS: "1" },
  NODE_PATH: process.env.NODE_PATH ?? join(built, "tensorflow", "node_modules"),
};

/** Why the rows cannot be measured here, or undefined. */
function whatIsMissing() {
  if (!existsSync(addon) || !existsSync(plugin)) {
    return "no plugin for CPUs: `npm run setup -- --xla --xla-test-plugin` builds one";
  }
  const found = TENSORFLOW.NODE_PATH.split(":").some((folder) =>
    existsSync(join(folder, "@tensorflow", "tfjs-node", "package.json")),
  );
  if (found || resolves("@tensorflow/tfjs-node")) return undefined;
  return "no TensorFlow engine: `node tools/tensorflow/build.mjs` builds it";
}

function resolves(name) {
  try {
    return createRequire(import.meta.url).resolve(name) !== "";
  } catch {
    return false;
  }
}

/** Both sides are the same program of ours, on one thread each; `units` steps a round, by processor time. */
const compare = (name, { script, args, units, cpuOf, what, target, seconds }) => ({
  name: `xla-cpu-${name}`,
  summary: `processor time of ${what}: engine xla through its CPU plugin against tensorflow`,
  seconds,
  async run(context) {
    const missing = whatIsMissing();
    if (missing) return [skippedRow(`xla-cpu-${name}`, missing)];
    const how = { ...context, threads: 1, clock: "cpu" };
    const start = (env) => ({
      ...ours(script, args),
      env: { ...env, TF_CPP_MIN_LOG_LEVEL: "2" },
    });
    const result = await duel({ ours: start(XLA), peer: start(TENSORFLOW), limits: false }, how);
    for (const { answers } of [result.ours, result.peer]) {
      for (const answer of answers) answer.cpuSeconds = cpuOf(answer);
    }
    const [row] = duelRows(
      { name: `xla-cpu-${name}`, unit: "steps/CPU s", units, target },
      result,
      how,
    );
    return [{ ...row, note: `${msOf(row.ours)} against ${msOf(row.peer)} CPU ms a step` }];
  },
});

const msOf = (stepsPerSecond) => tidy(1000 / stepsPerSecond);

const train = (size, target) => {
  const { layers, heads, width, length, batch, vocab } = TRAINED[size];
  return compare(`train-${size}`, {
    ...{ script: "ours/train.mjs", args: [layers, heads, width, length, batch, vocab, 1] },
    ...{ units: 1, cpuOf: ({ cpuSeconds }) => cpuSeconds, target, seconds: 60 },
    what: `a training step (${layers}L/${width})`,
  });
};

/** What engine xla is worth on a CPU, where only its tests run; a GPU is measured by bench/gpu. */
export const XLA_CPU = [
  train("0.8m", 2),
  train("10.75m", 1.3),
  compare("decode-16", {
    ...{ script: "ours/generate.mjs", args: [...Object.values(SMALL), 16, 1, "decode"] },
    ...{ units: NEW, cpuOf: ({ decodeCpuSeconds }) => decodeCpuSeconds, target: 5, seconds: 60 },
    what: "a decode step of 16 sequences (Llama 4L/128)",
  }),
];
