// `npm run test:xla [-- vitest arguments]`: builds the PJRT addon and a plugin for CPUs, then runs the addon's own
// tests, the script for GPU machines in a tiny size, recorded programs against JAX where Python has it, 250 steps of a training beside the native engine's (alone:
// `-- --curve`), and the tensor, model, learning and PPO suites on the engine xla, with two devices. Names of files among
// the arguments leave it at those of the suites. XLA_PLUGIN, where it is not empty, names a plugin that is there; with another than ours the addon's own
// tests are left out.
import { existsSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { prepare } from "../setup/environment.mjs";
import { root, runTool } from "../setup/main.mjs";
import { runAttached, StepError } from "../setup/steps.mjs";
import { compareCurves } from "../tensorflow/curve.mjs";
import { findPython } from "../tensorflow/requirements.mjs";
import { filtersOf } from "../test/filters.mjs";
import { buildTestPlugin, buildXlaAddon, TEST_PLUGIN } from "./build.mjs";
import { missingJax } from "./jax.mjs";
import { LEFT_OUT, SUITES } from "./suites.mjs";

/** Of XLA in the suites: two devices, and programs that compile in half the time, as most run once or twice. */
const FLAGS = [
  "--xla_force_host_platform_device_count=2",
  "--xla_backend_optimization_level=0",
  "--xla_llvm_disable_expensive_passes=true",
];

/** @param {string} plugin */
const tinyBench = (plugin) => {
  const out = join(root, ".stagecraft", "xla", "gpu-tiny.json");
  const script = join(root, "bench", "gpu", "run.mjs");
  return [process.execPath, script, "--tiny", "--plugin", plugin, "--out", out];
};

/** @param {import("../setup/steps.mjs").Steps} steps */
async function checkPrograms(steps) {
  const missing = missingJax(findPython());
  if (missing !== undefined) {
    steps.note(`left out: recorded programs are not checked by JAX: ${missing}`);
    return;
  }
  const script = join(root, "tools", "xla", "check-programs.mjs");
  await steps.command("check recorded programs by JAX", [process.execPath, script]);
}

await runTool("Stagecraft on the engine xla", async (steps) => {
  await prepare(root, steps);
  await buildXlaAddon(steps);
  const plugin = process.env.XLA_PLUGIN || (await buildTestPlugin(steps));
  if (!existsSync(plugin)) throw new StepError(`XLA_PLUGIN names ${plugin}, which is not there`);
  const env = { TF_CPP_MIN_LOG_LEVEL: "3", ...process.env, XLA_PLUGIN: plugin };
  const onTwo = { XLA_FLAGS: FLAGS.join(" "), ...env };
  for (const [file, reason] of Object.entries(LEFT_OUT)) {
    if (!existsSync(join(root, file))) throw new StepError(`no ${file}: correct suites.mjs`);
    steps.note(`left out: ${file} (${reason})`);
  }
  const args = process.argv.slice(2).filter((arg) => arg !== "--curve");
  const curve = () => compareCurves(steps, { engine: "xla", flags: ["--plugin", plugin], env });
  if (process.argv.includes("--curve")) return curve();
  const vitest = [process.execPath, join(root, "node_modules", "vitest", "vitest.mjs"), "run"];
  const suites = (/** @type {readonly string[]} */ filters) =>
    runAttached([...vitest, "--config", join(root, "tools/xla/vitest.config.ts"), ...filters], {
      ...{ cwd: root, env: onTwo },
    });
  if ((await filtersOf(args)).length > 0) {
    steps.note("left out: all but the files that are named");
    return suites(args);
  }
  const isOurs = existsSync(TEST_PLUGIN) && realpathSync(plugin) === realpathSync(TEST_PLUGIN);
  if (!isOurs) {
    steps.note(
      "left out: the addon's own tests (they need the options and counts of the plugin that is built here)",
    );
  }
  const ownTests = [
    ...vitest,
    "--config",
    join(root, "libs/tensor-xla/plugin.config.mjs"),
    ...args,
  ];
  const addon = isOurs ? await runAttached(ownTests, { cwd: root, env }) : 0;
  await steps.command("the script for GPU machines, tiny", tinyBench(plugin), { env: onTwo });
  await checkPrograms(steps);
  const parted = await curve();
  const rest = await suites([...SUITES, ...args]); // whatever failed before, or it would hide what fails here
  return addon || parted || rest;
});
