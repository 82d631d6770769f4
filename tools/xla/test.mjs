// `npm run test:xla [-- vitest arguments]`: builds the PJRT addon and a plugin for CPUs, then runs the addon's own
// tests, the script for GPU machines in a tiny size, 250 steps of a training beside the native engine's (alone:
// `-- --curve`), and the tensor, model, learning and PPO suites on the engine xla. Names of files among the arguments
// leave it at those of the suites. XLA_PLUGIN names a plugin that is there; with another than ours the addon's own
// tests are left out.
import { existsSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { prepare } from "../setup/environment.mjs";
import { root, runTool } from "../setup/main.mjs";
import { runAttached, StepError } from "../setup/steps.mjs";
import { compareCurves } from "../tensorflow/curve.mjs";
import { filtersOf } from "../test/filters.mjs";
import { buildTestPlugin, buildXlaAddon, TEST_PLUGIN } from "./build.mjs";
import { LEFT_OUT, SUITES } from "./suites.mjs";

/** @param {string} plugin */
const tinyBench = (plugin) => {
  const out = join(root, ".stagecraft", "xla", "gpu-tiny.json");
  const script = join(root, "bench", "gpu", "run.mjs");
  return [process.execPath, script, "--tiny", "--plugin", plugin, "--out", out];
};

await runTool("Stagecraft on the engine xla", async (steps) => {
  await prepare(root, steps);
  await buildXlaAddon(steps);
  const plugin = process.env.XLA_PLUGIN ?? (await buildTestPlugin(steps));
  const env = { TF_CPP_MIN_LOG_LEVEL: "3", ...process.env, XLA_PLUGIN: plugin };
  for (const [file, reason] of Object.entries(LEFT_OUT)) {
    if (!existsSync(join(root, file))) throw new StepError(`no ${file}: correct suites.mjs`);
    steps.note(`left out: ${file} (${reason})`);
  }
  const args = process.argv.slice(2).filter((arg) => arg !== "--curve");
  const curve = () => compareCurves(steps, { engine: "xla", flags: ["--plugin", plugin], env });
  if (process.argv.includes("--curve")) return curve();
  const vitest = [process.execPath, join(root, "node_modules", "vitest", "vitest.mjs"), "run"];
  const run = (/** @type {string} */ config, /** @type {readonly string[]} */ filters) =>
    runAttached([...vitest, "--config", join(root, config), ...filters], { cwd: root, env });
  if ((await filtersOf(args)).length > 0) {
    steps.note("left out: all but the files that are named");
    return run("tools/xla/vitest.config.ts", args);
  }
  const isOurs = existsSync(TEST_PLUGIN) && realpathSync(plugin) === realpathSync(TEST_PLUGIN);
  if (!isOurs) {
    steps.note(
      "left out: the addon's own tests (they need the options and counts of the plugin that is built here)",
    );
  }
  const addon = isOurs ? await run("libs/tensor-xla/plugin.config.mjs", args) : 0;
  await steps.command("the script for GPU machines, tiny", tinyBench(plugin), { env });
  const parted = await curve();
  const suites = await run("tools/xla/vitest.config.ts", [...SUITES, ...args]);
  return addon || parted || suites;
});
