// `npm run setup`: everything that `npm run demo` and `npm test` do before their own work.
import { ensureNatsServer, prepare } from "./setup/environment.mjs";
import { root, runTool } from "./setup/main.mjs";

await runTool("Setting up", async (steps) => {
  await prepare(root, steps);
  await ensureNatsServer(steps);
  return 0;
});
