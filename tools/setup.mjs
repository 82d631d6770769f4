// `npm run setup`: everything that `npm run demo` and `npm test` do before their own work. With `-- --xla` also
// the addon for GPU nodes, with `--xla-test-plugin` also a PJRT plugin for CPUs (docs/gpu.md).
import { parseArgs } from "node:util";
import { ensureNatsServer, prepare } from "./setup/environment.mjs";
import { root, runTool } from "./setup/main.mjs";
import { together } from "./setup/steps.mjs";
import { buildTestPlugin, buildXlaAddon } from "./xla/build.mjs";

await runTool("Setting up", async (steps) => {
  const { values } = parseArgs({
    options: { xla: { type: "boolean" }, "xla-test-plugin": { type: "boolean" } },
  });
  await together(prepare(root, steps), ensureNatsServer(steps));
  if (values.xla || values["xla-test-plugin"]) await buildXlaAddon(steps);
  if (values["xla-test-plugin"]) console.log(`XLA_PLUGIN=${await buildTestPlugin(steps)}`);
  return 0;
});
