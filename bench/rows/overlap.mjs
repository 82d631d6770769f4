import { ours } from "../lib/peers.mjs";
import { BenchProcess } from "../lib/process.mjs";
import { makeRow } from "../lib/row.mjs";
import { median, tidy } from "../lib/stats.mjs";

const UPDATES = 16;

/** How long an update takes without simulated sampling: then both sides take equal time. */
async function trainingMs(bench) {
  const trials = [];
  for (let i = 0; i < 3; i++) trials.push(await bench.measure(`0 0 ${UPDATES}`));
  return Math.round(median(trials.map(({ seconds }) => (1000 * seconds) / UPDATES)));
}

const sharesOf = (answers) => ({
  trainer: tidy(median(answers.map(({ trainerBusy }) => trainerBusy))),
  policy: tidy(median(answers.map(({ policyBusy }) => policyBusy))),
});

const percent = (share) => `${Math.round(100 * share)} %`;

async function measure(bench, context) {
  const sampleMs = await trainingMs(bench);
  const [inTurns, ahead] = [[], []];
  for (let round = 0; round < context.rounds; round++) {
    context.progress.round(round, context.rounds);
    inTurns.push(await bench.measure(`0 ${sampleMs} ${UPDATES}`));
    ahead.push(await bench.measure(`1 ${sampleMs} ${UPDATES}`));
  }
  const busy = { asynchronous: sharesOf(ahead), synchronous: sharesOf(inTurns) };
  const { trainer, policy } = busy.asynchronous;
  return makeRow({
    name: "overlap",
    ours: median(ahead.map(({ seconds }) => seconds)),
    peer: median(inTurns.map(({ seconds }) => seconds)),
    ratio: median(ahead.map(({ seconds }, round) => seconds / inTurns[round].seconds)),
    unit: "s wall time",
    target: 0.75,
    goal: "atMost",
    rounds: context.rounds,
    peerIs: "the same updates in turns",
    sampleMs,
    busy,
    note: `${UPDATES} updates, ${sampleMs} ms each side; busy: trainer ${percent(trainer)}, policy ${percent(policy)}`,
  });
}

/** Asynchronous against synchronous PPO when sampling and training take equal time. */
export const OVERLAP = [
  {
    name: "overlap",
    summary: "wall time of PPO with sampling one update ahead against PPO in turns",
    seconds: 90,
    async run(context) {
      const { command, args } = ours("ours/overlap.mjs", [context.threads]);
      const bench = await BenchProcess.start(command, args);
      try {
        return [await measure(bench, context)];
      } finally {
        await bench.stop();
      }
    },
  },
];
