/** What a part gives that cannot be measured on this machine; it is written down and no failure. */
export class LeftOut extends Error {}

/**
 * @typedef {object} Part
 * @property {string} name
 * @property {() => unknown} work
 * @property {boolean} [isNeeded] by all that follow
 */

/**
 * Runs parts one after another and hands over each one's outcome at once. A part that fails stops no other, unless the
 * others need it.
 * @param {readonly Part[]} parts
 * @param {(name: string, outcome: unknown, seconds: number) => void} write
 * @returns {Promise<number>} how many failed
 */
export async function runParts(parts, write) {
  let numFailed = 0;
  for (const { name, work, isNeeded = false } of parts) {
    const before = performance.now();
    const outcome = await outcomeOf(work);
    write(name, outcome, (performance.now() - before) / 1000);
    if (!hasFailed(outcome)) continue;
    numFailed++;
    if (isNeeded) break;
  }
  return numFailed;
}

/** @param {() => unknown} work */
async function outcomeOf(work) {
  try {
    return await work();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return error instanceof LeftOut ? { leftOut: reason } : { failed: reason };
  }
}

/** @param {unknown} outcome */
const hasFailed = (outcome) =>
  typeof outcome === "object" && outcome !== null && "failed" in outcome;
