import { parseArgs } from "node:util";
import { formatBytes, formatDuration } from "@stagecraft/core";
import { tempDir } from "@stagecraft/testing";
import { fuzz } from "./fuzz.js";
import { hostileTargets } from "./targets.js";

const HELP = `npm run test:hostile -- [options]
  --count N      inputs (default 100000), in turns for every message and file format
  --seed S       default 1; the same seed makes the same inputs
  --only NAME    one target, see --list
  --json         the result as JSON on standard output
  --list         the targets`;
const MAX_GROWTH_BYTES = 64 * 1024 * 1024;

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      count: { type: "string", default: "100000" },
      seed: { type: "string", default: "1" },
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
  const [count, seed] = [Number(values.count), Number(values.seed)];
  const result = await fuzz(targets, { count, seed, onProgress: teller() });
  const grown = result.grownBytes > MAX_GROWTH_BYTES;
  const passed = result.failures.length === 0 && !grown;
  if (values.json) say(JSON.stringify({ passed, seed, count, ...result }));
  for (const { target, index, problem, input } of values.json ? [] : result.failures) {
    say(`✘ ${target} ${problem}; seed ${seed}, input ${index}: ${input}`);
  }
  if (!values.json) say(summary(passed, { ...result, seed, count }));
  return passed ? 0 : 1;
}

function summary(
  passed: boolean,
  {
    seed,
    count,
    numRead,
    numRefused,
    slowestMs,
    grownBytes,
    failures,
  }: Awaited<ReturnType<typeof fuzz>> & { seed: number; count: number },
): string {
  return `${passed ? "✔" : "✘"} ${count} inputs of seed ${seed}: ${numRead} read, ${numRefused} refused by name, ${failures.length} failed; slowest ${Math.round(slowestMs)} ms, heap grew ${formatBytes(grownBytes)}`;
}

function say(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

function teller() {
  const startedAt = performance.now();
  let toldAt = 0;
  return (done: number, total: number) => {
    const now = performance.now();
    if (now - toldAt < (process.stderr.isTTY ? 200 : 10_000) && done < total) return;
    toldAt = now;
    const perInput = (now - startedAt) / done;
    const line = `${done}/${total}  ${Math.round(1000 / perInput)}/s  ${formatDuration(perInput * (total - done))} left`;
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
  };
}
