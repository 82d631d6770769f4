import { setTimeout as delay } from "node:timers/promises";
import { watchDisturbance } from "./disturbance.mjs";
import { medianLimits } from "./machine.mjs";
import { BenchProcess } from "./process.mjs";

/** Spinning threads of the other side and its last page faults shall not be in the measurement. */
const SETTLE_MS = 120;

/**
 * Two programs doing the same work in turns, so that a busy neighbour hits both; who begins changes
 * with every round, and the machine's limits are measured between the two.
 * @param {{ ours: Start, peer: Start | undefined, blockSeconds?: number, limits?: boolean }} sides
 * @param {import("./context.mjs").BenchContext} context
 * @typedef {{ command: string, args: readonly string[], env?: object }} Start
 */
export async function duel({ ours, peer, blockSeconds = 0.5, limits = true }, context) {
  const sides = [];
  try {
    for (const [name, start] of Object.entries({ ours, peer })) {
      if (start) sides.push(await open(name, start, blockSeconds));
    }
    const samples = [];
    if (limits) await context.machineLimits(); // starts its programs
    const disturbance = watchDisturbance();
    for (let round = 0; round < context.rounds; round++) {
      context.progress.round(round, context.rounds);
      const order = round % 2 === 0 ? sides : [...sides].reverse();
      for (const side of order) {
        await delay(SETTLE_MS);
        side.answers.push(await side.process.measure(side.repeats));
      }
      if (limits) samples.push(await context.machineLimits());
    }
    for (const side of sides) side.peakMb = side.process.peakMemoryMb();
    const { ours: own, peer: other } = Object.fromEntries(sides.map((side) => [side.name, side]));
    const machine = { ...medianLimits(samples), ...disturbance() };
    return { ours: own, peer: other, machine };
  } finally {
    for (const side of sides) await side.process.stop();
  }
}

async function open(name, { command, args, env }, blockSeconds) {
  const process = await BenchProcess.start(command, args, env).catch((error) => {
    throw new Error(`${name === "peer" ? "the peer" : "our side"}: ${error.message}`);
  });
  const repeats = await repeatsOf(process, blockSeconds);
  return { name, process, repeats, facts: process.ready, answers: [] };
}

/** Rounds of work that fill a block; 0 seconds: always one. */
async function repeatsOf(process, blockSeconds) {
  if (blockSeconds === 0) return 1;
  await process.measure(1);
  const { seconds } = await process.measure(1);
  return Math.max(1, Math.round(blockSeconds / seconds));
}
