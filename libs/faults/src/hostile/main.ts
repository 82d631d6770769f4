import { parseArgs } from "node:util";
import { formatBytes } from "@stagecraft/core";
import { tempDir } from "@stagecraft/testing";
import { missingServices } from "../world/service-process.js";
import { teller } from "../teller.js";
import { fuzz, type FuzzResult } from "./fuzz.js";
import { attackServers, type LiveResult } from "./live.js";
import type { HostileTarget } from "./hostile-target.js";
import { hostileTargets } from "./targets.js";

const HELP = `npm run test:hostile -- [options]
  --count N      inputs (default 100000): nine of ten read in this process, in turns for every message
                 and file format; one of ten sent to real servers, in turns for every RPC, beside
                 honest callers, none of which may fail and which must keep half of their speed
  --live N       another number of those that are sent; 0 = no servers
  --seed S       default 1; the same seed makes the same inputs
  --only NAME    one target, see --list
  --json         the result as JSON on standard output
  --list         the targets`;
const MAX_GROWTH_BYTES = 64 * 1024 * 1024;
/** Of a process that collects its garbage when it likes. */
const MAX_SERVER_GROWTH_BYTES = 128 * 1024 * 1024;

// An exit ends the processes that were started; a signal alone would leave them behind.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => process.exit(130));
}

process.exitCode = await main(process.argv.slice(2));
process.exit();

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      count: { type: "string", default: "100000" },
      seed: { type: "string", default: "1" },
      live: { type: "string" },
      only: { type: "string" },
      json: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return say(HELP);
  await using dir = await tempDir();
  const all = await hostileTargets(dir.path);
  const targets = all.filter(({ name }) => values.only === undefined || name === values.only);
  if (values.list) return say(all.map(({ name }) => name).join("\n"));
  if (targets.length === 0) throw new Error(`no target ${values.only}; see --list`);
  const [total, seed] = [Number(values.count), Number(values.seed)];
  const rpcs = targets.filter(({ path }) => path !== undefined);
  const numLive = rpcs.length === 0 ? 0 : Number(values.live ?? Math.floor(total / 10));
  const count = Math.max(0, total - numLive);
  const read = await fuzz(targets, { count, seed, onProgress: teller("read") });
  const live = numLive > 0 ? await sendAll(rpcs, { count: numLive, seed }) : undefined;
  const passed = held(read) && (live === undefined || heldLive(live));
  if (values.json) say(JSON.stringify({ passed, seed, count, ...read, live }));
  else report({ passed, seed, count, read, numLive, live });
  return passed ? 0 : 1;
}

async function sendAll(
  rpcs: readonly HostileTarget[],
  { count, seed }: { count: number; seed: number },
): Promise<LiveResult> {
  const missing = missingServices();
  if (missing.length > 0) throw new Error(`not built: ${missing.join(", ")}; run npm run build`);
  return attackServers(rpcs, { count, seed, onProgress: teller("sent") });
}

function held({ failures, grownBytes }: FuzzResult): boolean {
  return failures.length === 0 && grownBytes <= MAX_GROWTH_BYTES;
}

function heldLive({ failures, grownBytes, honestProblems, honestRates }: LiveResult): boolean {
  const { before, during } = honestRates;
  const isWhole = failures.length + honestProblems.length === 0;
  return isWhole && grownBytes <= MAX_SERVER_GROWTH_BYTES && during >= before / 2;
}

interface Report {
  passed: boolean;
  seed: number;
  count: number;
  read: FuzzResult;
  numLive: number;
  live: LiveResult | undefined;
}

function report({ passed, seed, count, read, numLive, live }: Report): void {
  for (const { target, index, problem, input } of [...read.failures, ...(live?.failures ?? [])]) {
    say(`✘ ${target} ${problem}; seed ${seed}, input ${index}: ${input}`);
  }
  for (const problem of live?.honestProblems ?? []) say(`✘ ${problem}`);
  const { numRead, numRefused, slowestMs, grownBytes, failures } = read;
  say(
    `${passed ? "✔" : "✘"} ${count} inputs of seed ${seed}: ${numRead} read, ${numRefused} refused by name, ${failures.length} failed; slowest ${Math.round(slowestMs)} ms, heap grew ${formatBytes(grownBytes)}`,
  );
  if (live) say(liveSummary(numLive, live));
}

function liveSummary(count: number, live: LiveResult): string {
  const { failures, slowestMs, grownBytes, honestCalls, honestProblems, honestRates } = live;
  const { before, during } = honestRates;
  const share = Math.round((100 * during) / before);
  const statuses = Object.entries(live.statuses).map(([name, number]) => `${number} × ${name}`);
  return [
    `  ${count} sent to real servers: ${failures.length} failed; slowest ${Math.round(slowestMs)} ms, largest growth of a server ${formatBytes(grownBytes)}`,
    `  gRPC statuses: ${statuses.join(", ")}`,
    `  ${honestCalls} honest calls beside them: ${honestProblems.length} kinds of failure; ${before}/s before, ${during}/s during the attack: ${share} %`,
  ].join("\n");
}

function say(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}
