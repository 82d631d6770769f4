import { duel } from "../lib/duel.mjs";
import { ours, python } from "../lib/peers.mjs";
import { duelRows } from "../lib/row.mjs";
import { BASE, SMALL, forwardFlops } from "../lib/shapes.mjs";

const BATCH = 16;
const LENGTH = 96;

const score = (size, shape, { target, seconds }) => ({
  name: `score-${size}`,
  summary: `scoring ${BATCH} × ${LENGTH} tokens, Llama ${size}, against transformers`,
  seconds,
  async run(context) {
    const args = [...Object.values(shape), BATCH, LENGTH, context.threads];
    const result = await duel(
      { ours: ours("ours/score.mjs", args), peer: python("peers/score.py", args) },
      context,
    );
    const flops = BATCH * forwardFlops(shape, LENGTH);
    const work = { name: `score-${size}`, unit: "sequences/s", units: BATCH, flops, target };
    return duelRows(work, result, context);
  },
});

/** Reward scoring of both sizes. */
export const SCORE = [
  score("small", SMALL, { target: 2, seconds: 25 }),
  score("base", BASE, { target: 1.3, seconds: 30 }),
];
