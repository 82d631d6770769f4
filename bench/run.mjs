// Us and the peers, in turns, in one run. See HELP and README.md.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { createContext } from "./lib/context.mjs";
import { machineFacts } from "./lib/machine.mjs";
import { wholeNumber } from "./lib/options.mjs";
import { Progress } from "./lib/progress.mjs";
import { failedRow } from "./lib/row.mjs";
import { tableHead, tableRow } from "./lib/table.mjs";
import { BENCHES, selectBenches } from "./rows/index.mjs";

const MIN_ROUNDS = 5;

const HELP = `Measures us and the peers in turns, in one run.

npm run bench -- [NAME…] [options]

  NAME…          benchmarks, or the beginning of several (train, generate-base, ppo); default all
  --json FILE    write everything measured, anew after every benchmark
  --rounds N     rounds of a row, at least ${MIN_ROUNDS}; figures are medians (default 7)
  --threads N    threads of each side (default 2)
  --clock KIND   wall, or cpu to compare processor time (default wall)
  --list         names, seconds and one line each
  --help         this text

The peers are installed by \`npm run bench:peers\`; a row whose peer is missing says so. A benchmark that
fails leaves a row that says why, and the exit code is 1. bench/README.md says how it is measured.`;

function parseCommand() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "string" },
      list: { type: "boolean", default: false },
      rounds: { type: "string", default: "7" },
      threads: { type: "string", default: "2" },
      clock: { type: "string", default: "wall" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const rounds = wholeNumber(values.rounds, "--rounds", MIN_ROUNDS);
  const threads = wholeNumber(values.threads, "--threads", 1);
  if (!["wall", "cpu"].includes(values.clock)) throw new Error("--clock must be wall or cpu");
  return { ...values, rounds, threads, benches: selectBenches(positionals) };
}

function list() {
  for (const { name, summary, seconds } of BENCHES) {
    console.log(`${name.padEnd(22)} ${`${seconds} s`.padStart(6)}  ${summary}`);
  }
}

async function runOne(bench, context) {
  try {
    return await bench.run(context);
  } catch (error) {
    return [failedRow(bench.name, error)];
  }
}

async function runAll({ benches, json, rounds, threads, clock }) {
  const progress = new Progress(benches);
  const context = createContext({ rounds, threads, clock, progress });
  const report = { startedAt: new Date().toISOString(), machine: machineFacts(), rows: [] };
  const write = () => json && writeFileSync(json, `${JSON.stringify(report, undefined, 2)}\n`);
  console.log(tableHead());
  try {
    for (const [index, bench] of benches.entries()) {
      progress.start(index);
      const rows = await runOne(bench, context);
      progress.done();
      report.rows.push(...rows);
      report.machine = { ...machineFacts(), threads, ...(await context.limitsOfRun()) };
      for (const row of rows) console.log(tableRow(row));
      write();
    }
  } finally {
    await context.close();
  }
  console.log(summaryOf(report));
  return report.rows.some(({ error }) => error !== undefined) ? 1 : 0;
}

function summaryOf({ rows, machine }) {
  const targets = rows.filter(({ target, error }) => target !== undefined || error !== undefined);
  const met = targets.filter((row) => row.met).length;
  const { peakGflops, readGbytes, sgemmGflops, openblasGflops } = machine;
  return (
    `${met} of ${targets.length} targets met. ${machine.cpu}, ${machine.threads} threads: ` +
    `FMA peak ${peakGflops ?? "?"} GFLOP/s, reading ${readGbytes ?? "?"} GB/s, ` +
    `our sgemm ${sgemmGflops ?? "?"}, OpenBLAS ${openblasGflops ?? "?"} GFLOP/s`
  );
}

try {
  const command = parseCommand();
  if (command.help) console.log(HELP);
  else if (command.list) list();
  else process.exitCode = await runAll(command);
} catch (error) {
  console.error(error.message);
  process.exitCode = 2;
}
