import { duel } from "../lib/duel.mjs";
import { ours, python } from "../lib/peers.mjs";
import { duelRows } from "../lib/row.mjs";

/** SmolLM2-135M. */
const SHAPE = { layers: 30, heads: 9, kvHeads: 3, width: 576, inner: 1536, vocab: 49_152 };
const BATCH = { length: 512, batch: 2, rank: 16 };

/** Adapters on a model that others trained: where fine-tuning counts. */
export const LORA = [
  {
    name: "lora-135m",
    summary: "LoRA steps (rank 16) of a Llama as SmolLM2-135M against PyTorch with peft",
    seconds: 180,
    async run(context) {
      const args = [...Object.values(SHAPE), ...Object.values(BATCH), context.threads];
      const sides = { ours: ours("ours/lora.mjs", args), peer: python("peers/lora.py", args) };
      const result = await duel(sides, context);
      const work = {
        ...{ name: "lora-135m", unit: "tokens/s", units: BATCH.length * BATCH.batch },
        ...{ flops: 4 * BATCH.length * BATCH.batch * numWeights(SHAPE), target: 1 },
      };
      return duelRows(work, result, context);
    },
  },
];

function numWeights({ layers, heads, kvHeads, width, inner, vocab }) {
  const kvWidth = (width / heads) * kvHeads;
  return layers * (2 * width * width + 2 * width * kvWidth + 3 * width * inner) + width * vocab;
}
