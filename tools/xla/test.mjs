// `npm run test:xla [-- vitest arguments]`: builds the PJRT addon and a plugin for CPUs, then runs the addon's own
// tests, and the tensor, model, learning and PPO suites on the engine xla. XLA_PLUGIN names another plugin to
// run the suites on.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { prepare } from "../setup/environment.mjs";
import { root, runTool } from "../setup/main.mjs";
import { runAttached, StepError } from "../setup/steps.mjs";
import { buildTestPlugin, buildXlaAddon } from "./build.mjs";
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
  const env = { TF_CPP_MIN_LOG_LEVEL: "2", ...process.env, XLA_PLUGIN: plugin };
  for (const [file, reason] of Object.entries(LEFT_OUT)) {
    if (!existsSync(join(root, file))) throw new StepError(`no ${file}: correct suites.mjs`);
    steps.note(`left out: ${file} (${reason})`);
  }
  const args = process.argv.slice(2);
  const vitest = [process.execPath, join(root, "node_modules", "vitest", "vitest.mjs"), "run"];
  const run = (/** @type {string} */ config, /** @type {readonly string[]} */ filters) =>
    runAttached([...vitest, "--config", join(root, config), ...filters], { cwd: root, env });
  const isFiltered = args.some((arg) => !arg.startsWith("-"));
  const isOnOurs = process.env.XLA_PLUGIN === undefined; // its options and counts are what the addon's tests need
  const addon = isFiltered || !isOnOurs ? 0 : await run("libs/tensor-xla/plugin.config.mjs", args);
  if (!isFiltered)
    await steps.command("the script for GPU machines, tiny", tinyBench(plugin), { env });
  const suites = await run("tools/xla/vitest.config.ts", isFiltered ? args : [...SUITES, ...args]);
  return addon || suites;
});
