import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createSteps, StepError } from "./steps.mjs";

/** The repository's root folder. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/**
 * Runs a tool's body with step printing; failures a person can act on print without a stack.
 * @param {string} title
 * @param {(steps: import("./steps.mjs").Steps) => Promise<number>} body resolves with the exit code
 */
export async function runTool(title, body) {
  const steps = createSteps({ logDir: join(root, ".stagecraft", "logs") });
  process.stderr.write(`${title}\n`);
  try {
    process.exitCode = await body(steps);
  } catch (error) {
    const text =
      error instanceof StepError ? error.message : (error instanceof Error && error.stack) || error;
    process.stderr.write(`\n${text}\n`);
    process.exitCode = 1;
  }
}
