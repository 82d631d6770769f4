import { HOW_TO_GET_PEERS } from "./peers.mjs";
import { median, tidy } from "./stats.mjs";

/**
 * A line of the report: who did how much, and whether the target of the ratio ours/peer is met.
 * `goal` says on which side of the target the ratio must lie. A missing peer stays missing.
 */
export function makeRow({ name, ours, peer, ratio, unit, target, goal = "atLeast", ...rest }) {
  const known = peer !== undefined && ours !== undefined;
  const value = known ? (ratio ?? ours / peer) : undefined;
  const row = { name, ours: tidy(ours), peer: known ? tidy(peer) : "missing", unit };
  const meets = goal === "atLeast" ? value >= target : value <= target;
  return {
    ...row,
    ratio: known ? tidy(value) : "missing",
    target,
    goal,
    met: known ? meets : false,
    ...(peer === undefined ? { howToGetPeer: HOW_TO_GET_PEERS } : {}),
    ...definedOf(rest),
  };
}

/** A bound on one of our own figures: there is no peer, the target holds for `ours` itself. */
export function makeBound({ name, ours, unit, target, goal, ...rest }) {
  const met = goal === "atLeast" ? ours >= target : ours <= target;
  return { name, ours: tidy(ours), peer: "none", unit, ratio: "none", target, goal, met, ...rest };
}

/** Rate row and memory row of two programs that did `units` of work a round; see `duel()`. */
export function duelRows({ name, unit, units, flops, bytes, target, memoryTarget }, result, how) {
  const { ours, peer, machine } = result;
  const rates = ratesOf(ours, units, how.clock);
  const peerRates = peer && ratesOf(peer, units, how.clock);
  const rate = median(rates);
  const gflops = flops && (rate / units) * (flops / 1e9);
  const gbytes = bytes && (rate / units) * (bytes / 1e9);
  const row = makeRow({
    name,
    ours: rate,
    peer: peerRates && median(peerRates),
    ratio: peerRates && median(rates.map((value, round) => value / peerRates[round])),
    unit,
    target,
    threads: how.threads,
    clock: how.clock,
    rounds: rates.length,
    spread: { ours: spreadOf(rates), ...(peerRates ? { peer: spreadOf(peerRates) } : {}) },
    cpuSeconds: { ours: cpuSecondsOf(ours), ...(peer ? { peer: cpuSecondsOf(peer) } : {}) },
    gflops: gflops && tidy(gflops),
    peerGflops: flops && peerRates && tidy((median(peerRates) / units) * (flops / 1e9)),
    shareOfPeak: share(gflops, machine.peakGflops),
    shareOfSgemm: share(gflops, machine.sgemmGflops),
    gbytes: gbytes && tidy(gbytes),
    shareOfBandwidth: share(gbytes, machine.readGbytes),
    machine,
    facts: { ours: ours.facts, ...(peer ? { peer: peer.facts } : {}) },
  });
  return [row, memoryRow({ name, target: memoryTarget ?? 0.7 }, result, how)];
}

/** Peak resident memory of both sides. */
export function memoryRow({ name, target }, { ours, peer }, { threads }) {
  return makeRow({
    name: `${name}-memory`,
    ours: ours.peakMb,
    peer: peer?.peakMb,
    unit: "MB peak resident",
    target,
    goal: "atMost",
    threads,
  });
}

/** What a figure is of a limit of the machine that was measured in the same rounds. */
export function limitRow({ name, value, limit, unit, target }) {
  if (limit === undefined) return failedRow(name, new Error("the machine's limit is not measured"));
  const { ours, ratio, goal, met } = makeRow({ ours: value, peer: limit, unit, target });
  return { name, ours, peer: tidy(limit), unit, ratio, target, goal, met, peerIs: "machine limit" };
}

/** Keeps the place of a benchmark that this machine cannot run, which is no failure. */
export const skippedRow = (name, reason) => ({ name, skipped: reason });

/** Keeps the place of a benchmark that could not run. */
export const failedRow = (name, error) => ({ name, error: error.message, met: false });

const share = (part, whole) => (part && whole ? tidy(part / whole) : undefined);
const spreadOf = (values) => [tidy(Math.min(...values)), tidy(Math.max(...values))];

function ratesOf({ answers, repeats }, units, clock) {
  return answers.map(({ seconds, cpuSeconds }) => {
    return (units * repeats) / (clock === "cpu" ? cpuSeconds : seconds);
  });
}

/** Processor seconds of one round: what other programs on the machine disturb the least. */
function cpuSecondsOf({ answers, repeats }) {
  return tidy(median(answers.map(({ cpuSeconds }) => cpuSeconds / repeats)));
}

function definedOf(values) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
