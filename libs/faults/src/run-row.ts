import { fileURLToPath } from "node:url";
import { createRandom } from "@stagecraft/core";
import { startProcess } from "@stagecraft/testing";
import { mutationsOf, type FaultControl, type FaultResult, type FaultRow } from "./fault-row.js";
import { preloadOf } from "./world/service-process.js";

/** What became of a row or of one of its controls. */
export interface RowOutcome {
  name: string;
  /** Of a control: the guard that was off. */
  control?: string;
  passed: boolean;
  /** Why it was not run. */
  skipped?: string;
  count: number;
  seed: number;
  seconds: number;
  problems: string[];
  figures: FaultResult["figures"];
}

export interface RunRowOptions {
  seed: number;
  count: number;
  checkTimes: boolean;
  onProgress(done: number, total: number, note?: string): void;
}

const PATIENCE_MS = 90_000;
/** Of a control, which is often stuck on purpose. */
const CONTROL_PATIENCE_MS = 60_000;

/** Runs a row; a throw counts as a problem. */
export async function runRow(row: FaultRow, options: RunRowOptions): Promise<RowOutcome> {
  return run(row, options);
}

/** Runs a row with a guard switched off; passes when the row finds what it must find. */
export async function runControl(
  row: FaultRow,
  control: FaultControl,
  options: RunRowOptions,
): Promise<RowOutcome> {
  const outcome =
    control.where === "harness"
      ? await runChanged(row, control, options)
      : await run(row, options, control);
  const found = outcome.problems.find((problem) => control.expect.test(problem));
  const missed = `without its guard the row found nothing that matches ${control.expect}`;
  return {
    ...outcome,
    control: control.name,
    passed: found !== undefined,
    problems: found === undefined ? [missed, ...outcome.problems] : [found],
  };
}

async function run(
  row: FaultRow,
  { seed, count, checkTimes, onProgress }: RunRowOptions,
  control?: FaultControl,
): Promise<RowOutcome> {
  const startedAt = performance.now();
  const skipped = row.unavailable?.();
  const facts = { name: row.name, count, seed };
  if (skipped !== undefined) {
    return { ...facts, passed: true, skipped, seconds: 0, problems: [], figures: {} };
  }
  let result: FaultResult;
  try {
    result = await row.run({
      count,
      seed,
      random: createRandom(`${row.name}/${seed}`),
      checkTimes: checkTimes && !control,
      patienceMs: control ? CONTROL_PATIENCE_MS : PATIENCE_MS,
      mutations: control ? mutationsOf(control) : [],
      progress: onProgress,
    });
  } catch (thrown) {
    const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    result = { problems: [text], figures: {} };
  }
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  return { ...facts, passed: result.problems.length === 0, seconds, ...result };
}

/** In a process of its own, whose modules are changed as they are loaded. */
async function runChanged(
  row: FaultRow,
  control: FaultControl,
  { seed }: RunRowOptions,
): Promise<RowOutcome> {
  const main = fileURLToPath(new URL("main.js", import.meta.url));
  const args = [main, row.name, "--json", "--count", String(control.count), "--seed", String(seed)];
  await using child = await startProcess(process.execPath, [
    "--import",
    preloadOf("mutate.mjs", mutationsOf(control)),
    ...args,
  ]);
  await child.exited;
  const line = child
    .output()
    .split("\n")
    .find((text) => text.startsWith("[{"));
  if (line === undefined) throw new Error(`the changed harness ended: ${child.output()}`);
  return (JSON.parse(line) as RowOutcome[])[0]!;
}
