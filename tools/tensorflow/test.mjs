// `npm run test:tensorflow [-- --curve] [vitest arguments]`: builds TFJS's TensorFlow backend, then runs
// the tensor, model, learning and PPO suites on it; with --curve, compares a training run on it with the
// native engine's instead.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { prepare } from "../setup/environment.mjs";
import { root, runTool } from "../setup/main.mjs";
import { runAttached, StepError } from "../setup/steps.mjs";
import { filtersOf } from "../test/filters.mjs";
import { buildTensorFlow } from "./build.mjs";
import { compareCurves } from "./curve.mjs";
import { LEFT_OUT, SUITES } from "./suites.mjs";

/** Of the tests' own processes; TensorFlow would take all cores in each of the two. */
const THREADS = { TF_NUM_INTRAOP_THREADS: "1", TF_NUM_INTEROP_THREADS: "1" };

await runTool("Stagecraft on the TensorFlow engine", async (steps) => {
  await prepare(root, steps);
  const nodePath = await buildTensorFlow(steps);
  const env = { ...THREADS, TF_CPP_MIN_LOG_LEVEL: "2", ...process.env, NODE_PATH: nodePath };
  const args = process.argv.slice(2);
  if (args.includes("--curve")) return compareCurves(steps, { engine: "tensorflow", env });
  for (const [file, reason] of Object.entries(LEFT_OUT)) {
    if (!existsSync(join(root, file))) throw new StepError(`no ${file}: correct suites.mjs`);
    steps.note(`left out: ${file} (${reason})`);
  }
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const config = ["--config", join(root, "tools", "tensorflow", "vitest.config.ts")];
  const filters = (await filtersOf(args)).length > 0 ? args : [...SUITES, ...args];
  return runAttached([process.execPath, vitest, "run", ...config, ...filters], { cwd: root, env });
});
