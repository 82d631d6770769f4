import { duel } from "../lib/duel.mjs";
import { ours, python } from "../lib/peers.mjs";
import { duelRows, limitRow } from "../lib/row.mjs";
import { BASE, SMALL, blockWeights, forwardFlops, headFlops } from "../lib/shapes.mjs";

/** Tokens of a prompt and of its answer. */
export const PROMPT = 32;
export const NEW = 64;

/** FLOP of a round: prompt and answer through the blocks, the answer through the head. */
export const generationFlops = (shape, batch) =>
  batch * (forwardFlops(shape, PROMPT + NEW) + NEW * headFlops(shape));

/** Bytes that decoding one token of one sequence must read: all weights once. */
export const bytesPerToken = (shape) => 4 * (blockWeights(shape) + shape.vocab * shape.width);

const generate = (size, shape, { batch, target, seconds }) => ({
  name: `generate-${size}-${batch}`,
  summary: `sampling ${NEW} tokens, Llama ${size}, batch ${batch}, against Hugging Face generate`,
  seconds,
  async run(context) {
    const args = [...Object.values(shape), batch, context.threads];
    const result = await duel(
      { ours: ours("ours/generate.mjs", args), peer: python("peers/generate.py", args) },
      context,
    );
    const work = {
      name: `generate-${size}-${batch}`,
      unit: "tokens/s",
      units: NEW * batch,
      flops: generationFlops(shape, batch),
      bytes: batch === 1 ? NEW * bytesPerToken(shape) : undefined,
      target,
    };
    const rows = duelRows(work, result, context);
    return batch === 1 ? [...rows, bandwidthRow(rows[0])] : rows;
  },
});

/** Decoding at batch 1 should read at 70 % of the machine's bandwidth. */
const bandwidthRow = ({ name, gbytes, machine }) =>
  limitRow({
    name: `${name}-of-bandwidth`,
    value: gbytes,
    limit: machine.readGbytes,
    unit: "GB/s",
    target: 0.7,
  });

/** Generation of both sizes at three batches. */
export const GENERATE = [
  generate("small", SMALL, { batch: 1, target: 12, seconds: 25 }),
  generate("small", SMALL, { batch: 16, target: 8, seconds: 25 }),
  generate("small", SMALL, { batch: 64, target: 6, seconds: 30 }),
  generate("base", BASE, { batch: 1, target: 4, seconds: 30 }),
  generate("base", BASE, { batch: 16, target: 8, seconds: 35 }),
  generate("base", BASE, { batch: 64, target: 6, seconds: 60 }),
];
