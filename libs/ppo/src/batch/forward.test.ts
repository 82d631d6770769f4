import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createModel, presetConfig, type Model } from "@stagecraft/model";
import { initEngine, tf } from "@stagecraft/tensor";
import { responseLogProbs, responseValues } from "./forward.js";
import { answerTokens, trainedIds } from "./layout.js";
import { layoutSequences } from "./layout.js";

let model: Model;
beforeAll(async () => {
  await initEngine({ numThreads: 1 });
  const config = presetConfig("llama", {
    vocabSize: 20,
    hiddenSize: 16,
    numLayers: 2,
    numHeads: 2,
    maxPositions: 32,
  });
  model = createModel(config, { seed: 5, heads: ["lm", "value"] });
  const tensors = new Map(model.tensors());
  const head = tensors.get("value_head.weight")!;
  // The value head starts at zero; these tests need one that answers.
  tensors.set("value_head.weight", {
    ...head,
    data: Float32Array.from(head.data as Float32Array, (_, i) => Math.sin(i)),
  });
  model.load(tensors);
});
afterAll(() => model.dispose());

const sequence = (prompt: number[], response: number[]) =>
  answerTokens(Int32Array.from(prompt), Int32Array.from(response));
const SEQUENCES = [
  sequence([1, 2, 3], [4, 5, 6, 7]),
  sequence([8], [9, 10]),
  sequence([11, 12], [13]),
];
const OPTIONS = { padId: 0, maxTokens: 1000, temperature: 1 };

describe("responseLogProbs() and responseValues()", () => {
  it("do not depend on packing, neighbours or micro-batches", () => {
    for (const forward of [responseLogProbs, responseValues]) {
      const together = forward(model, SEQUENCES, OPTIONS);
      const apart = forward(model, SEQUENCES, { ...OPTIONS, maxTokens: 1 });
      together.forEach((row, i) =>
        row.forEach((value, t) => expect(Math.abs(value - apart[i]![t]!)).toBeLessThan(1e-5)),
      );
    }
  });

  it("do not move by a bit when PAD ids change", () => {
    const withPad = (padId: number) => {
      const layout = layoutSequences(SEQUENCES, { padId, pack: false });
      const { logProbs, values } = tf.tidy(() => ({
        logProbs: [...model.logProbs(layout).logProbs.dataSync()],
        values: [...model.values(layout).dataSync()].filter((_, n) => layout.segments[n]! > 0),
      }));
      return { logProbs, values };
    };
    expect(withPad(17)).toEqual(withPad(0));
  });

  it("belong to the state before token t: t moves nothing at t, t − 1 does", () => {
    const changed = [sequence([1, 2, 3], [4, 5, 18, 7])]; // response token 2
    const before = responseValues(model, SEQUENCES.slice(0, 1), OPTIONS)[0]!;
    const after = responseValues(model, changed, OPTIONS)[0]!;
    expect([...after.slice(0, 3)]).toEqual([...before.slice(0, 3)]);
    expect(after[3]).not.toBe(before[3]);
    const logProbs = (sequences: typeof SEQUENCES) =>
      responseLogProbs(model, sequences, OPTIONS)[0]!;
    const alone = SEQUENCES.slice(0, 1); // TensorFlow rounds otherwise in a batch of another size
    expect([...logProbs(changed).slice(0, 2)]).toEqual([...logProbs(alone).slice(0, 2)]);
    expect(logProbs(changed)[3]).not.toBe(logProbs(alone)[3]);
  });

  it("divide logits by the temperature before the softmax", () => {
    const [one] = SEQUENCES;
    const layout = layoutSequences([one!], { padId: 0 });
    const logits = tf.tidy(() => model.logits(layout).arraySync());
    const hot = responseLogProbs(model, [one!], { ...OPTIONS, temperature: 2 })[0]!;
    layout.rows.forEach((row, t) => {
      const scaled = logits[row]!.map((value) => value / 2);
      const logSum = Math.log(scaled.reduce((sum, value) => sum + Math.exp(value), 0));
      expect(hot[t]).toBeCloseTo(scaled[trainedIds(one!)[t]!]! - logSum, 5);
    });
  });
});
