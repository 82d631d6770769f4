import { parseArgs } from "node:util";
import type { FaultRow } from "./fault-row.js";
import { FAULT_ROWS } from "./rows/index.js";
import { runControl, runRow, type RowOutcome, type RunRowOptions } from "./run-row.js";
import { formatOutcomes } from "./table.js";
import { teller } from "./teller.js";
import { missingServices } from "./world/service-process.js";

const HELP = `npm run test:faults -- [NAME…] [options]
  --count N      strikes of each row (default: its full count)
  --short        the counts of CI; what must hold is checked, how fast it comes back is only told
  --controls     run the controls too: each guard switched off must make its row fail
  --only-controls
  --seed S       default: by the clock; printed, and the same again with the same number
  --json         the results as JSON on standard output
  --list         the rows and their controls`;

// An exit ends the processes that were started; a signal alone would leave them behind.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => process.exit(130));
}
process.exitCode = await main(process.argv.slice(2));
process.exit();

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      count: { type: "string" },
      seed: { type: "string" },
      short: { type: "boolean", default: false },
      controls: { type: "boolean", default: false },
      "only-controls": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return say(HELP);
  if (values.list) return say(list());
  const rows = positionals.length === 0 ? FAULT_ROWS : positionals.map(rowOf);
  const missing = missingServices();
  if (missing.length > 0) throw new Error(`not built: ${missing.join(", ")}; run npm run build`);
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  process.stderr.write(`seed ${seed}\n`);
  const outcomes: RowOutcome[] = [];
  for (const row of rows) {
    const full = values.short ? row.counts.short : row.counts.full;
    const count = Number(values.count ?? full);
    const options = { seed, count, checkTimes: !values.short };
    if (!values["only-controls"]) {
      outcomes.push(await runRow(row, { ...options, onProgress: teller(row.name) }));
      tell(outcomes.at(-1)!);
    }
    if (!values.controls && !values["only-controls"]) continue;
    for (const control of row.controls) {
      const how: RunRowOptions = { ...options, count: control.count, onProgress: teller(row.name) };
      outcomes.push(await runControl(row, control, how));
      tell(outcomes.at(-1)!);
    }
  }
  process.stdout.write(values.json ? `${JSON.stringify(outcomes)}\n` : formatOutcomes(outcomes));
  return outcomes.every(({ passed }) => passed) ? 0 : 1;
}

function say(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

function list(): string {
  return FAULT_ROWS.map(({ name, doc, counts, controls }) =>
    [
      `${name} (${counts.full}; ${counts.short} in CI)`,
      `    ${doc}`,
      ...controls.map((control) => `    control: ${control.name}`),
    ].join("\n"),
  ).join("\n");
}

function rowOf(name: string): FaultRow {
  const row = FAULT_ROWS.find((candidate) => candidate.name === name);
  if (row) return row;
  throw new Error(`no fault ${name}; there are ${FAULT_ROWS.map((r) => r.name).join(", ")}`);
}

function tell({ name, control, passed, skipped, seconds, problems }: RowOutcome): void {
  const clear = process.stderr.isTTY ? "\r\x1b[K" : "";
  const what = control === undefined ? name : `${name} without a guard: ${control}`;
  const mark = skipped !== undefined ? "–" : passed ? "✔" : "✘";
  process.stderr.write(`${clear}${mark} ${what}  ${seconds} s  ${skipped ?? ""}\n`);
  if (!passed)
    for (const problem of problems.slice(0, 10)) process.stderr.write(`    ${problem}\n`);
}
