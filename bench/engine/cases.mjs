/**
 * What is measured. `units` is the work of one round; `flops` its floating-point operations (two per
 * weight and token forward, twice that backward; attention not counted), `bytes` the weights that
 * decoding must read.
 */
const train = (name, [layers, heads, width, length, batch, vocab], target) => {
  const weights = layers * 12 * width * width + vocab * width;
  const tokens = batch * length;
  return {
    name: `train-${name}`,
    kind: "train",
    args: [layers, heads, width, length, batch, vocab],
    unit: "tokens/s",
    units: tokens,
    flops: 6 * weights * tokens,
    target,
  };
};

const llamaWeights = ([layers, , width, inner]) => layers * (4 * width * width + 3 * width * inner);

const decode = (name, size, batch, target) => {
  const [, , width, , vocab] = size;
  const head = vocab * width;
  return {
    name: `generate-${name}-${batch}`,
    kind: "decode",
    args: [...size, batch],
    unit: "tokens/s",
    units: 64 * batch,
    flops: 2 * batch * (96 * llamaWeights(size) + 64 * head),
    bytes: batch === 1 ? 4 * 64 * (llamaWeights(size) + head) : undefined,
    target,
  };
};

const score = (name, size, target) => ({
  name: `score-${name}`,
  kind: "score",
  args: [...size, 16, 96],
  unit: "sequences/s",
  units: 16,
  flops: 2 * 16 * 96 * llamaWeights(size),
  target,
});

const SMALL = [4, 4, 128, 512, 1024];
const BASE = [6, 6, 384, 1536, 4096];

export const CASES = [
  train("0.8m", [4, 4, 128, 64, 12, 65], 2),
  train("10.75m", [6, 6, 384, 256, 4, 65], 1.4),
  train("21m", [6, 8, 512, 256, 4, 4096], 1.4),
  decode("small", SMALL, 1, 12),
  decode("small", SMALL, 16, 8),
  decode("small", SMALL, 64, 6),
  decode("base", BASE, 1, 4),
  decode("base", BASE, 16, 8),
  decode("base", BASE, 64, 6),
  score("small", SMALL, 2),
  score("base", BASE, 1.3),
];
