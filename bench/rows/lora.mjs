import { duel } from "../lib/duel.mjs";
import { ours, python } from "../lib/peers.mjs";
import { duelRows } from "../lib/row.mjs";
import { stageMemory } from "./lora-stages.mjs";

/** SmolLM2-135M. */
const SHAPE = { layers: 30, heads: 9, kvHeads: 3, width: 576, inner: 1536, vocab: 49_152 };
const BATCH = { length: 512, batch: 2, rank: 16 };

/**
 * Steps against PyTorch with peft. FLOP: two per weight and token for a pass forward, the reference's too, and
 * for one back to what goes in; the factors' own are not counted.
 */
const steps = ({ name, stage, passes, summary }) => ({
  name,
  summary,
  seconds: 180,
  async run(context) {
    const args = [...Object.values(SHAPE), ...Object.values(BATCH), context.threads, stage];
    const sides = { ours: ours("ours/lora.mjs", args), peer: python("peers/lora.py", args) };
    const result = await duel(sides, context);
    const tokens = BATCH.length * BATCH.batch;
    const flops = 2 * passes * tokens * numWeights(SHAPE);
    const work = { name, unit: "tokens/s", units: tokens, flops, target: 1 };
    return duelRows(work, result, context);
  },
});

/** Adapters on a model that others trained: where fine-tuning counts. */
export const LORA = [
  steps({
    ...{ name: "lora-135m", stage: "sft", passes: 2 },
    summary: "LoRA steps (rank 16) of a Llama as SmolLM2-135M against PyTorch with peft",
  }),
  steps({
    ...{ name: "lora-dpo-135m", stage: "dpo", passes: 3 },
    summary: "the same with DPO of one pair, its reference the model without adapters",
  }),
  stageMemory(SHAPE, BATCH),
];

function numWeights({ layers, heads, kvHeads, width, inner, vocab }) {
  const kvWidth = (width / heads) * kvHeads;
  return layers * (2 * width * width + 2 * width * kvWidth + 3 * width * inner) + width * vocab;
}
