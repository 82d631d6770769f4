import { duel } from "../lib/duel.mjs";
import { ours, python } from "../lib/peers.mjs";
import { duelRows, limitRow } from "../lib/row.mjs";

const train = (name, shape, { target, seconds }) => ({
  name: `train-${name}`,
  summary: `training steps of a GPT ${describe(shape)} against PyTorch eager`,
  seconds,
  async run(context) {
    const { layers, heads, width, length, batch, vocab } = shape;
    const args = [layers, heads, width, length, batch, vocab, context.threads];
    const result = await duel(
      { ours: ours("ours/train.mjs", args), peer: python("peers/train.py", args) },
      context,
    );
    const work = {
      name: `train-${name}`,
      unit: "tokens/s",
      units: batch * length,
      flops: flopsPerToken(shape) * batch * length,
      target,
    };
    const [row, memory] = duelRows(work, result, context);
    return name === "0.8m" ? [row, memory] : [row, memory, peakRow(row)];
  },
});

/** Training of 10 M and more should stand at half the peak. */
const peakRow = ({ name, gflops, machine }) =>
  limitRow({
    name: `${name}-of-peak`,
    value: gflops,
    limit: machine.peakGflops,
    unit: "GFLOP/s",
    target: 0.5,
  });

function flopsPerToken({ layers, width, length, vocab }) {
  const weights = layers * 12 * width * width + vocab * width;
  return 6 * weights + 12 * layers * width * length;
}

const describe = ({ layers, heads, width, length, batch, vocab }) =>
  `(${layers}L/${heads}H/${width}, T ${length}, B ${batch}, V ${vocab})`;

/** What is trained: nanoGPT's CPU setting and two larger ones. */
export const TRAINED = {
  "0.8m": { layers: 4, heads: 4, width: 128, length: 64, batch: 12, vocab: 65 },
  "10.75m": { layers: 6, heads: 6, width: 384, length: 256, batch: 4, vocab: 65 },
  "21m": { layers: 6, heads: 8, width: 512, length: 256, batch: 4, vocab: 4096 },
};

/** Each against PyTorch. */
export const TRAIN = [
  train("0.8m", TRAINED["0.8m"], { target: 2, seconds: 25 }),
  train("10.75m", TRAINED["10.75m"], { target: 1.4, seconds: 35 }),
  train("21m", TRAINED["21m"], { target: 1.4, seconds: 45 }),
];
