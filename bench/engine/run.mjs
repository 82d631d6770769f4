// The engine against PyTorch and transformers, alternating in one run:
//
//   node bench/engine/run.mjs [NAME…] [--json FILE] [--rounds 5] [--threads 2] [--clock wall|cpu]
//
// NAME is a prefix (train, generate-base, score-small…). The peer runs with the Python of
// STAGECRAFT_PEERS_PYTHON (torch and transformers installed), default bench/peers/.venv/bin/python;
// without it its column says "missing". Times are medians of --rounds blocks of about half a second.
// On a machine that others use, `--threads 1 --clock cpu` compares the CPU time of one thread each.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CASES } from "./cases.mjs";
import { BenchProcess } from "./process.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "string" },
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: "2" },
    clock: { type: "string", default: "wall" },
  },
});
const python =
  process.env.STAGECRAFT_PEERS_PYTHON ?? join(here, "..", "peers", ".venv", "bin", "python");
const BLOCK_SECONDS = 0.5;

function measureLimits() {
  try {
    const binary = join(mkdtempSync(join(tmpdir(), "stagecraft-limits-")), "limits");
    const source = join(here, "limits.c");
    execFileSync("cc", ["-O3", "-march=native", "-pthread", source, "-o", binary]);
    return JSON.parse(execFileSync(binary, [options.threads], { encoding: "utf8" }));
  } catch {
    return undefined;
  }
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Rounds that fill a block, from one trial. */
async function calibrate(bench) {
  await bench.measure(1);
  const { seconds } = await bench.measure(1);
  return Math.max(1, Math.round(BLOCK_SECONDS / seconds));
}

async function start(command, script, args) {
  const bench = await BenchProcess.start(command, [join(here, script), ...args.map(String)]);
  return { bench, rounds: await calibrate(bench), rates: [], rssMb: 0 };
}

async function sample(side, units) {
  const { seconds, cpuSeconds, rssMb } = await side.bench.measure(side.rounds);
  const elapsed = options.clock === "cpu" ? cpuSeconds : seconds;
  side.rates.push((units * side.rounds) / elapsed);
  side.rssMb = rssMb;
}

async function measureCase(test) {
  const args = [...test.args, options.threads];
  const sides = { ours: await start(process.execPath, `${test.kind}.mjs`, args) };
  if (existsSync(python)) sides.peer = await start(python, `peer_${test.kind}.py`, args);
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const side of Object.values(sides)) await sample(side, test.units);
  }
  for (const side of Object.values(sides)) side.bench.stop();
  return rowOf(test, sides);
}

function rowOf(test, { ours, peer }) {
  const rate = median(ours.rates);
  const ratios = peer && ours.rates.map((value, i) => value / peer.rates[i]);
  return {
    name: test.name,
    ours: Math.round(rate),
    peer: peer ? Math.round(median(peer.rates)) : "missing",
    unit: test.unit,
    ratio: ratios ? Number(median(ratios).toFixed(2)) : "missing",
    target: test.target,
    gflops: Math.round((rate / test.units) * (test.flops / 1e9)),
    gbytes: test.bytes && Number(((rate / test.units) * (test.bytes / 1e9)).toFixed(1)),
    rssMb: Math.round(ours.rssMb),
    peerRssMb: peer ? Math.round(peer.rssMb) : "missing",
  };
}

const share = (part, whole) => (part && whole ? `${Math.round((100 * part) / whole)} %` : "");

const selected = CASES.filter(
  ({ name }) => names.length === 0 || names.some((prefix) => name.startsWith(prefix)),
);
const rows = [];
for (const test of selected) {
  const limits = measureLimits();
  const row = { ...(await measureCase(test)), limits };
  rows.push(row);
  const shares = `${share(row.gflops, limits?.gflops)} of FMA peak ${share(row.gbytes, limits?.gbytes)}`;
  console.log(
    `${row.name.padEnd(20)} ours ${row.ours} peer ${row.peer} ${row.unit} ratio ${row.ratio} ` +
      `(target ${row.target}) ${row.gflops} GFLOP/s ${shares} RSS ${row.rssMb}/${row.peerRssMb} MB`,
  );
}
if (options.json) writeFileSync(options.json, `${JSON.stringify(rows, undefined, 2)}\n`);
