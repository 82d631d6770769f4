import { accumulateGradients, takeLoss } from "@stagecraft/runs";
import { beforeAll, describe, expect, it } from "vitest";
import { createModel, presetConfig } from "@stagecraft/model";
import { initEngine, tf } from "@stagecraft/tensor";
import { rankingLoss } from "./ranking-loss.js";
import { layoutForScores, scoreSequences, type RewardItem } from "./reward-batch.js";
import { promptWeight, rankingLossTensor, rewardLoss } from "./reward-loss.js";

beforeAll(() => initEngine({ numThreads: 1 }));

const config = presetConfig("llama", {
  vocabSize: 20,
  hiddenSize: 16,
  numLayers: 1,
  numHeads: 2,
  maxPositions: 16,
});
const item = (sequences: number[][], ranks: number[], targets = ranks): RewardItem => ({
  sequences: sequences.map((ids) => Int32Array.from(ids)),
  lengths: sequences.map((ids) => ids.length),
  ranks,
  targets,
});
const ITEMS = [
  item(
    [
      [1, 2, 3],
      [1, 4],
      [1, 5, 6, 7, 8],
    ],
    [2, 1, 3],
    [0.5, 1, 0],
  ),
  item(
    [
      [9, 2],
      [9, 3, 3, 3],
    ],
    [1, 2],
    [1, 0],
  ),
  item(
    [
      [7, 7],
      [7, 8],
    ],
    [1, 1],
    [0.5, 0.5],
  ),
];

describe("rankingLossTensor()", () => {
  it("meets the golden vector and its gradient", () => {
    const { value, grad } = tf.tidy(() =>
      tf.valueAndGrad((x: tf.Tensor) =>
        rankingLossTensor(x as tf.Tensor1D, [{ ranks: [1, 2, 3, 4] }]),
      )(tf.tensor1d([2, 1, 0.5, -1])),
    );
    expect(value.dataSync()[0]).toBeCloseTo(0.2276134317, 6);
    const expected = rankingLoss([2, 1, 0.5, -1], [1, 2, 3, 4]).gradient;
    grad.dataSync().forEach((g, i) => expect(g).toBeCloseTo(expected[i]!, 6));
    tf.dispose([value, grad]);
  });
});

describe("rewardLoss()", () => {
  it("is the mean over prompts of the pure K-wise loss", () => {
    const model = createModel(config, { seed: 3, heads: ["score"] });
    const options = { objective: "ranking", centerCoef: 0, denominator: 2 } as const;
    const loss = rewardLoss(model, ITEMS, options);
    const scores = scoreSequences(
      model,
      ITEMS.flatMap(({ sequences }) => sequences),
    );
    let offset = 0;
    const expected = ITEMS.map(
      ({ ranks }) => rankingLoss(scores.slice(offset, (offset += ranks.length)), ranks).loss,
    );
    expect(loss.dataSync()[0]).toBeCloseTo(expected.reduce((a, b) => a + b) / 2, 5);
    loss.dispose();
    model.dispose();
  });

  for (const objective of ["ranking", "classification", "regression"] as const) {
    it(`${objective}: gradients do not depend on how prompts are cut into micro-batches`, () => {
      const model = createModel(config, { seed: 3, heads: ["score"] });
      const task = {
        params: model.params,
        weight: (items: RewardItem[]) =>
          items.reduce((n, each) => n + promptWeight(each, objective), 0),
        loss: (items: RewardItem[], denominator: number) =>
          rewardLoss(model, items, { objective, centerCoef: 0.01, denominator }),
      };
      const whole = accumulateGradients(task, [ITEMS]);
      const parts = accumulateGradients(
        task,
        ITEMS.map((each) => [each]),
      );
      expect(takeLoss(parts.losses)).toBeCloseTo(takeLoss(whole.losses), 5);
      for (const [name, grad] of whole.grads) {
        const other = parts.grads.get(name)!.dataSync();
        // Float32 sums in another order.
        grad.dataSync().forEach((g, i) => expect(Math.abs(other[i]! - g)).toBeLessThan(1e-5));
      }
      tf.dispose([...whole.grads.values(), ...parts.grads.values()]);
      model.dispose();
    });
  }
});

describe("layoutForScores()", () => {
  it("gives scores that depend on neither neighbours nor padding", () => {
    const model = createModel(config, { seed: 3, heads: ["score"] });
    const sequences = ITEMS.flatMap((each) => each.sequences);
    const together = scoreSequences(model, sequences);
    sequences.forEach((ids, i) => {
      expect(scoreSequences(model, [ids])[0]).toBeCloseTo(together[i]!, 5);
    });
    const padded = (padId: number) => {
      const layout = layoutForScores(sequences, padId);
      return [...tf.tidy(() => model.scores(layout, layout.lastIndex).dataSync())];
    };
    expect(padded(5)).toEqual(padded(0)); // PAD ids move nothing, not even a bit
    model.dispose();
  });
});
