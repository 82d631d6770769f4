import { createRandom, deriveSeed, StagecraftError } from "@stagecraft/core";
import type { HostileTarget } from "./hostile-target.js";

export interface FuzzOptions {
  count: number;
  seed: number;
  /** Longest that one input may take. */
  maxMs?: number;
  onProgress?(done: number, total: number): void;
}

/** An input that did what none may. */
export interface FuzzFailure {
  target: string;
  /** `--seed SEED --only INDEX` makes it again. */
  index: number;
  problem: string;
  /** The input, base64, cut at 4 KB. */
  input: string;
}

export interface FuzzResult {
  failures: FuzzFailure[];
  numRead: number;
  numRefused: number;
  slowestMs: number;
  /** Growth of the heap from a tenth of the inputs to the end. */
  grownBytes: number;
}

const MAX_FAILURES = 20;

/** Reads inputs in turns of the targets; what is thrown must be an error of the product's. */
export async function fuzz(
  targets: readonly HostileTarget[],
  { count, seed, maxMs = 2000, onProgress }: FuzzOptions,
): Promise<FuzzResult> {
  const result: FuzzResult = {
    failures: [],
    numRead: 0,
    numRefused: 0,
    slowestMs: 0,
    grownBytes: 0,
  };
  let warm = 0;
  for (let index = 0; index < count && result.failures.length < MAX_FAILURES; index++) {
    await tryOne(targets[index % targets.length]!, { index, seed, maxMs }, result);
    if (index === Math.floor(count / 10)) warm = heapBytes();
    if (index % 100 === 99) onProgress?.(index + 1, count);
  }
  result.grownBytes = Math.max(0, heapBytes() - warm);
  return result;
}

/** One input of a run. */
export async function tryOne(
  target: HostileTarget,
  { index, seed, maxMs }: { index: number; seed: number; maxMs: number },
  result: FuzzResult,
): Promise<void> {
  const input = target.make(createRandom(deriveSeed(seed, "hostile", index)));
  const startedAt = performance.now();
  let problem: string | undefined;
  try {
    await target.read(input);
    result.numRead++;
  } catch (thrown) {
    result.numRefused++;
    if (!(thrown instanceof StagecraftError)) problem = `threw ${String(thrown)}`;
  }
  const ms = performance.now() - startedAt;
  result.slowestMs = Math.max(result.slowestMs, ms);
  if (ms > maxMs) problem = `took ${Math.round(ms)} ms`;
  if (problem === undefined) return;
  const shown = Buffer.from(input.subarray(0, 4096)).toString("base64");
  result.failures.push({ target: target.name, index, problem, input: shown });
}

function heapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
