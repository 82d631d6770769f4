// `npm run test:xla [-- vitest arguments]`: builds the PJRT addon and a plugin for CPUs, then runs the tensor,
// model, learning and PPO suites on the engine xla. XLA_PLUGIN names another plugin to run them on.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { prepare } from "../setup/environment.mjs";
import { root, runTool } from "../setup/main.mjs";
import { runAttached, StepError } from "../setup/steps.mjs";
import { buildTestPlugin, buildXlaAddon } from "./build.mjs";
import { LEFT_OUT, SUITES } from "./suites.mjs";

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
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const config = ["--config", join(root, "tools", "xla", "vitest.config.ts")];
  const filters = args.some((arg) => !arg.startsWith("-")) ? args : [...SUITES, ...args];
  return runAttached([process.execPath, vitest, "run", ...config, ...filters], { cwd: root, env });
});
