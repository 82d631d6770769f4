import { tf } from "@stagecraft/tensor";
import { describe, expect, it } from "vitest";
import { growVocabulary } from "./grow-vocabulary.js";
import { createModel } from "./model.js";
import { presetConfig } from "./preset.js";

describe("growVocabulary()", () => {
  for (const architecture of ["llama", "gpt2"] as const) {
    it(`keeps what ${architecture} says of known tokens; new ones are as the mean of them`, () => {
      const sizes = { vocabSize: 7, hiddenSize: 8, numLayers: 1, numHeads: 2, maxPositions: 8 };
      const ids = Int32Array.of(1, 2, 3);
      const model = createModel(presetConfig(architecture, sizes), { seed: 1 });
      const before = model.logits({ ids, batchSize: 1, length: 3 }).arraySync();
      const numTensors = tf.memory().numTensors;
      const grown = growVocabulary(model, 9);
      expect(tf.memory().numTensors).toBe(numTensors);
      expect(grown.config.vocabSize).toBe(9);
      const after = grown.logits({ ids, batchSize: 1, length: 3 }).arraySync();
      after.forEach((row, t) => {
        row.slice(0, 7).forEach((logit, i) => expect(logit).toBeCloseTo(before[t]![i]!, 5));
        const mean = before[t]!.reduce((sum, logit) => sum + logit / 7, 0);
        for (const logit of row.slice(7)) expect(logit).toBeCloseTo(mean, 5);
      });
      grown.dispose();
    });
  }

  it("holds no weight twice that has no row for each token", () => {
    const sizes = { vocabSize: 7, hiddenSize: 8, numLayers: 1, numHeads: 2, maxPositions: 8 };
    const model = createModel(presetConfig("llama", sizes), { seed: 1 });
    const before = new Map(model.params);
    const grown = growVocabulary(model, 9);
    const moved = [...grown.params].filter(([name, variable]) => variable === before.get(name));
    expect(moved).toHaveLength(before.size - 2); // all but the embeddings and the head
    expect(before.get("model.embed_tokens.weight")!.isDisposed).toBe(true);
    grown.dispose();
  });
});
