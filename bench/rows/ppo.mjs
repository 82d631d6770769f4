import { duel } from "../lib/duel.mjs";
import { ours, python } from "../lib/peers.mjs";
import { makeRow, memoryRow } from "../lib/row.mjs";
import { BASE, SMALL } from "../lib/shapes.mjs";
import { median, tidy } from "../lib/stats.mjs";

const EPISODES = 64;

const ppo = (size, shape, { target, seconds }) => ({
  name: `ppo-${size}`,
  summary: `PPO updates of ${EPISODES} episodes, Llama ${size}, against PyTorch and transformers`,
  seconds,
  async run(context) {
    const args = [...Object.values(shape), context.threads];
    const sides = { ours: ours("ours/ppo.mjs", args), peer: python("peers/ppo.py", args) };
    const result = await duel({ ...sides, blockSeconds: 0 }, context);
    const { ours: own, peer, machine } = result;
    const rates = own.answers.map(rateOf);
    const peerRates = peer?.answers.map(rateOf);
    const name = `ppo-${size}`;
    const row = makeRow({
      name,
      ours: median(rates),
      peer: peerRates && median(peerRates),
      ratio: peerRates && median(rates.map((rate, round) => rate / peerRates[round])),
      unit: "episodes/s",
      target,
      threads: context.threads,
      rounds: rates.length,
      parts: { ours: partsOf(own), ...(peer ? { peer: partsOf(peer) } : {}) },
      machine,
    });
    return [row, memoryRow({ name, target: 0.5 }, result, context)];
  },
});

const rateOf = ({ seconds }) => EPISODES / seconds;

/** Medians over the rounds: sampling and scoring, optimizing, and what the update looked like. */
function partsOf({ answers }) {
  const names = ["seconds", "trainMs", "responseLength", "score", "kl"];
  const of = (pick) => tidy(median(answers.map(pick)));
  const parts = names.map((name) => [name, of((answer) => answer[name] ?? NaN)]);
  // Our stage's own figure for sampling contains the wait at the gate.
  const sampleMs = of(({ seconds, trainMs }) => 1000 * seconds - trainMs);
  return Object.fromEntries([...parts, ["sampleMs", sampleMs]]);
}

/** PPO end to end at two sizes. */
export const PPO = [
  ppo("4l128", SMALL, { target: 3, seconds: 70 }),
  ppo("6l384", BASE, { target: 1.6, seconds: 480 }),
];
