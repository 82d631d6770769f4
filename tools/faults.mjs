// Set-up, then the table of faults with the same arguments: `npm run test:faults -- [NAME…] [options]`. What
// only tells about the table needs no set-up once it is built.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ensureNatsServer, prepare } from "./setup/environment.mjs";
import { root, runTool } from "./setup/main.mjs";
import { runAttached } from "./setup/steps.mjs";

const args = process.argv.slice(2);
const main = join(root, "libs", "faults", "dist", "main.js");
const run = () => runAttached([process.execPath, main, ...args]);
const onlyTells = args.includes("--list") || args.includes("--help");

if (onlyTells && existsSync(main)) {
  process.exitCode = await run();
} else {
  await runTool("Setting up", async (steps) => {
    await prepare(root, steps);
    if (!onlyTells) await ensureNatsServer(steps);
    return run();
  });
}
