// Set-up, then hostile inputs with the same arguments: `npm run test:hostile -- [options]`.
import { join } from "node:path";
import { ensureNatsServer, prepare } from "./setup/environment.mjs";
import { root, runTool } from "./setup/main.mjs";
import { runAttached } from "./setup/steps.mjs";

await runTool("Setting up", async (steps) => {
  await prepare(root, steps);
  await ensureNatsServer(steps);
  const main = join(root, "libs", "faults", "dist", "hostile", "main.js");
  return runAttached([process.execPath, "--expose-gc", main, ...process.argv.slice(2)]);
});
