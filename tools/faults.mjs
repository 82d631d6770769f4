// Set-up, then the table of faults with the same arguments: `npm run test:faults -- [NAME…] [options]`.
import { join } from "node:path";
import { ensureNatsServer, prepare } from "./setup/environment.mjs";
import { root, runTool } from "./setup/main.mjs";
import { runAttached } from "./setup/steps.mjs";

await runTool("Setting up", async (steps) => {
  await prepare(root, steps);
  await ensureNatsServer(steps);
  const main = join(root, "libs", "faults", "dist", "main.js");
  return runAttached([process.execPath, main, ...process.argv.slice(2)]);
});
