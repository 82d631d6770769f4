import { watchDisturbance } from "../lib/disturbance.mjs";
import { ours } from "../lib/peers.mjs";
import { BenchProcess } from "../lib/process.mjs";
import { makeBound } from "../lib/row.mjs";
import { median } from "../lib/stats.mjs";

const [PEOPLE, PER_MINUTE, SECONDS] = [20, 1000, 30];

async function started(program, args, work) {
  const { command, args: all } = ours(program, args);
  const process = await BenchProcess.start(command, all);
  return work(process).finally(() => process.stop());
}

/** People rank over HTTP at a pace; the server keeps up, or their requests become late. */
const rankings = (database) => ({
  name: `rankings-${database}`,
  summary: `${PER_MINUTE} rankings a minute by ${PEOPLE} people through the pages' HTTP, ${database}`,
  seconds: SECONDS + 20,
  async run() {
    const disturbance = watchDisturbance();
    const args = [database, PEOPLE, PER_MINUTE, SECONDS];
    const figures = await started("ours/rankings.mjs", args, async ({ ready }) => ready);
    const { perMinute, p50, p99, most, stored, nextP99, submitP99 } = figures;
    const facts = { machine: disturbance() };
    const ms = (value) => `${value.toFixed(1)} ms`;
    return [
      makeBound({
        ...{ name: `rankings-${database}`, ours: perMinute, unit: "rankings/min", ...facts },
        ...{ target: 0.98 * PER_MINUTE, goal: "atLeast", note: `${stored} stored` },
      }),
      makeBound({
        ...{ name: `rankings-${database}-p99`, ours: p99, unit: "ms", ...facts },
        ...{ target: 100, goal: "atMost" },
        note: `next ${ms(nextP99)}, submit ${ms(submitP99)}; median ${ms(p50)}, most ${ms(most)}`,
      }),
    ];
  },
});

/** The first ranking in a browser that has nothing in its cache. */
const pages = {
  name: "pages",
  summary: "the Rank page in Chromium: until a key ranks an answer; script that it loads",
  seconds: 30,
  async run(context) {
    const disturbance = watchDisturbance();
    const looks = await started("ours/pages.mjs", [], async (process) => {
      const all = [];
      for (let round = 0; round < context.rounds; round++) {
        context.progress.round(round, context.rounds);
        all.push(await process.measure(1));
      }
      return all;
    });
    const facts = { rounds: looks.length, machine: disturbance(), goal: "atMost" };
    const times = looks.map(({ interactiveMs }) => interactiveMs);
    const note = `slowest of ${times.length}: ${Math.max(...times).toFixed(0)} ms`;
    return [
      makeBound({
        ...{ name: "pages-interactive", ours: median(times), unit: "ms", target: 1000 },
        ...{ ...facts, note },
      }),
      makeBound({
        ...{ name: "pages-script", ours: looks[0].scriptKb, unit: "KB gzipped", target: 200 },
        ...facts,
      }),
    ];
  },
};

export const PEOPLE_ROWS = [rankings("pglite"), rankings("postgres"), pages];
