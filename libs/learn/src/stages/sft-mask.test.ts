import { beforeAll, describe, expect, it } from "vitest";
import { openSftBatches, type Conversation } from "@stagecraft/data";
import { createModel, presetConfig } from "@stagecraft/model";
import { initEngine, tf, tokenLogProbs } from "@stagecraft/tensor";
import { renderChat } from "@stagecraft/tokenizer";
import { letterTokenizer } from "../../test/tiny-model.js";
import { lmLoss } from "./language-model.js";

beforeAll(() => initEngine({ numThreads: 1 }));

const conversation: Conversation = {
  messages: [
    { role: "system", content: "be brief" },
    { role: "user", content: "abc" },
    { role: "assistant", content: "xy" },
    { role: "user", content: "de" },
    { role: "assistant", content: "z" },
  ],
};

async function setUp() {
  const tokenizer = await letterTokenizer();
  const sizes = { vocabSize: tokenizer.vocabSize, hiddenSize: 16, numLayers: 1, numHeads: 2 };
  const model = createModel(presetConfig("llama", { ...sizes, maxPositions: 48 }), { seed: 5 });
  const options = { batchSize: 1, length: 48, seed: 1, pack: false };
  const batch = await openSftBatches([conversation], tokenizer, options).next();
  return { tokenizer, model, batch };
}

describe("SFT mask [reference 2]", () => {
  it("lets only answers and their end tokens into the gradient: every other row's is exactly 0", async () => {
    const { tokenizer, model, batch } = await setUp();
    const { ids, assistantMask } = renderChat(tokenizer, conversation.messages);
    const learnt = (row: number) => row + 1 < ids.length && assistantMask[row + 1] === 1;
    const gradient = tf.tidy(() => {
      const loss = (hidden: tf.Tensor) =>
        tf.div(
          tf.sum(tokenLogProbs(hidden as tf.Tensor2D, model.weights.lm!, batch.targets).logProbs),
          -batch.numTargets,
        );
      return tf.sum(tf.abs(tf.grad(loss)(model.hidden(batch))), 1).dataSync(); // [N]
    });
    const rows = Array.from(gradient, (size, row) => ({ row, size }));
    expect(rows.filter(({ size }) => size > 0).map(({ row }) => row)).toEqual(
      rows.filter(({ row }) => learnt(row)).map(({ row }) => row),
    );
    expect(batch.numTargets).toBe(5); // x, y, end; z, end
    model.dispose();
  });

  it("does not see what a masked target is", async () => {
    const { model, batch } = await setUp();
    const lossOf = (targets: Int32Array) =>
      tf.tidy(() => lmLoss(model, { ...batch, targets }, batch.numTargets).dataSync()[0]!);
    const other = batch.targets.map((target) => (target < 0 ? -7 : target));
    expect(lossOf(other)).toBe(lossOf(batch.targets));
    const shown = batch.targets.map((target) => (target < 0 ? 9 : target));
    expect(lossOf(shown)).not.toBe(lossOf(batch.targets)); // the mask is what does it
    model.dispose();
  });
});
