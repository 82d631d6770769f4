// Set-up, then `stagecraft` with the same arguments: `npm run demo`, `npm run up`, `npm run check -- NAME`.
import { join } from "node:path";
import { ensureNatsServer, prepare } from "./setup/environment.mjs";
import { root, runTool } from "./setup/main.mjs";
import { runAttached } from "./setup/steps.mjs";

await runTool("Setting up", async (steps) => {
  await prepare(root, steps);
  if (process.argv[2] === "up") await ensureNatsServer(steps);
  const bin = join(root, "libs", "cli", "bin", "stagecraft.mjs");
  return runAttached([process.execPath, bin, ...process.argv.slice(2)]);
});
