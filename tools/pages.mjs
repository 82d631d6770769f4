// `npm run test:pages [-- vitest arguments]`: every page in a real Chromium, from the keyboard, with the
// mouse, at 360 pixels, light and dark. `npm test` runs the short part alone.
import { join } from "node:path";
import { ensureChromium, ensurePostgres, prepare } from "./setup/environment.mjs";
import { root, runTool } from "./setup/main.mjs";
import { runAttached } from "./setup/steps.mjs";

await runTool("Stagecraft pages", async (steps) => {
  await prepare(root, steps);
  await ensureChromium(steps);
  await ensurePostgres(steps);
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const config = join(root, "services", "gateway", "pages", "vitest.config.ts");
  const args = [vitest, "run", "--config", config, ...process.argv.slice(2)];
  return runAttached([process.execPath, ...args], { cwd: root });
});
