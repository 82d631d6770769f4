import { beforeAll, describe, expect, it } from "vitest";
import { createModel, presetConfig } from "@stagecraft/model";
import { initEngine, tf } from "@stagecraft/tensor";
import { renderChat, tokenizerFromFiles, trainCharTokenizer } from "@stagecraft/tokenizer";
import { letterTokenizer } from "../../test/tiny-model.js";
import { measureLogProbs, toDpoItem } from "./dpo-batch.js";
import { toRewardItem } from "../reward/reward-data.js";
import { dpoLoss, dpoLossTensor } from "./dpo-loss.js";

beforeAll(() => initEngine({ numThreads: 1 }));

const OPTIONS = { beta: 0.3, labelSmoothing: 0.1 };

describe("dpoLoss()", () => {
  it("is −log σ(β·h) for a pair, worked by hand, and ln 2 at the reference", () => {
    const plain = { beta: 0.5, labelSmoothing: 0 };
    // h = .5·(1 − (−3)) = 2; −log σ(2) = log(1 + e⁻²)
    expect(dpoLoss([1, -3], [1, 2], plain).loss).toBeCloseTo(Math.log(1 + Math.exp(-2)), 12);
    expect(dpoLoss([0, 0, 0], [1, 2, 3], plain).loss).toBeCloseTo(Math.LN2, 12);
    expect(dpoLoss([3, 1], [1, 1], plain).loss).toBe(0);
  });

  it("has the gradient −β·σ(−h) on the winner: largest where the order is wrong", () => {
    const plain = { beta: 0.5, labelSmoothing: 0 };
    const { gradient } = dpoLoss([-3, 1], [1, 2], plain);
    expect(gradient[0]).toBeCloseTo(-0.5 / (1 + Math.exp(-2)), 12);
    expect(gradient[1]).toBeCloseTo(0.5 / (1 + Math.exp(-2)), 12);
  });

  it("with smoothing is least where σ(h) = 1 − ε, not at infinity", () => {
    const best = Math.log(0.9 / 0.1) / OPTIONS.beta;
    expect(dpoLoss([best, 0], [1, 2], OPTIONS).gradient[0]).toBeCloseTo(0, 12);
    expect(dpoLoss([2 * best, 0], [1, 2], OPTIONS).gradient[0]).toBeGreaterThan(0);
  });

  it("agrees with finite differences and with the loss on tensors, ties included", () => {
    const prompts = [
      { ratios: [0.3, -1.2, 0.8, 0.1], ranks: [2, 1, 2, 3] },
      { ratios: [-0.5, 0.4], ranks: [1, 2] },
      { ratios: [1, 2], ranks: [1, 1] },
    ];
    const { ratios, ranks } = prompts[0]!;
    const { gradient } = dpoLoss(ratios, ranks, OPTIONS);
    ratios.forEach((_, i) => {
      const at = (delta: number) =>
        dpoLoss(
          ratios.map((value, j) => value + (i === j ? delta : 0)),
          ranks,
          OPTIONS,
        ).loss;
      expect(gradient[i]).toBeCloseTo((at(1e-5) - at(-1e-5)) / 2e-5, 8);
    });
    const sum = prompts.reduce((s, p) => s + dpoLoss(p.ratios, p.ranks, OPTIONS).loss, 0);
    const tensor = tf.tidy(
      () =>
        dpoLossTensor(
          tf.tensor1d(prompts.flatMap((p) => p.ratios)),
          prompts,
          OPTIONS,
        ).dataSync()[0]!,
    );
    expect(tensor).toBeCloseTo(sum, 5); // float32
  });
});

describe("answerLogProbs()", () => {
  const prompt = [
    { role: "user" as const, content: "a" },
    { role: "assistant" as const, content: "bb" },
    { role: "user" as const, content: "c" },
  ];
  const ranking = { prompt, answers: ["xyz", "x", "yyyy"], ranks: [1, 2, 3] };

  async function setUp() {
    const tokenizer = await letterTokenizer();
    const sizes = { vocabSize: tokenizer.vocabSize, hiddenSize: 16, numLayers: 1, numHeads: 2 };
    const config = presetConfig("llama", { ...sizes, maxPositions: 32 });
    return { tokenizer, model: createModel(config, { seed: 3, heads: ["lm"] }) };
  }

  it("sums over the last answer and its end alone, as one sequence by itself would", async () => {
    const { tokenizer, model } = await setUp();
    const item = toDpoItem(ranking, { tokenizer, maxLength: 32 });
    expect(item.answerLengths).toEqual([4, 2, 5]);
    const packed = measureLogProbs(model, [item])[0]!;
    ranking.answers.forEach((content, i) => {
      const { ids } = renderChat(tokenizer, [...prompt, { role: "assistant", content }]);
      const logits = tf.tidy(
        () => model.logits({ ids, batchSize: 1, length: ids.length }).arraySync() as number[][],
      );
      let expected = 0;
      for (let t = ids.length - item.answerLengths[i]!; t < ids.length; t++) {
        const row = logits[t - 1]!;
        expected += row[ids[t]!]! - Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
      }
      expect(packed[i]).toBeCloseTo(expected, 4);
    });
    model.dispose();
  });

  it("keeps the end of what is too long", async () => {
    const { tokenizer, model } = await setUp();
    const item = toDpoItem(ranking, { tokenizer, maxLength: 4 });
    expect(item.sequences.map((ids) => ids.length)).toEqual([4, 4, 4]);
    expect(item.answerLengths).toEqual([3, 2, 3]);
    expect(measureLogProbs(model, [item])[0]!.every((value) => value < 0)).toBe(true);
    model.dispose();
  });

  it("names the ranking that a chat template refuses, as the reward model does", async () => {
    const template = "{{ raise_exception('not this one') }}";
    const tokenizer = tokenizerFromFiles({
      ...(await letterTokenizer()).files(),
      "tokenizer_config.json": JSON.stringify({ chat_template: template }),
    });
    const named = { id: "a", ...ranking };
    const options = { tokenizer, maxLength: 32, objective: "ranking" as const };
    for (const read of [toDpoItem, toRewardItem]) {
      expect(() => read(named, options)).toThrow(/ranking "a": the chat template refuses/);
    }
  });

  it("takes what SFT learns for the answer, also of a template that ends turns with text", async () => {
    const template =
      "{% for m in messages %}({{ m.content }}){% endfor %}{% if add_generation_prompt %}({% endif %}";
    const tokenizer = tokenizerFromFiles({
      ...(await trainCharTokenizer(["(xyz)"])).files(),
      "tokenizer_config.json": JSON.stringify({ chat_template: template }),
    });
    const answers = { answers: ["zy", ""], ranks: [1, 2] };
    const item = toDpoItem(
      { prompt: [{ role: "user", content: "xx" }], ...answers },
      { tokenizer, maxLength: 32 },
    );
    const learnt = item.sequences.map((ids, i) =>
      ids.subarray(ids.length - item.answerLengths[i]!),
    );
    expect(learnt.map((ids) => tokenizer.decode(ids))).toEqual(["zy", ""]);
  });
});
