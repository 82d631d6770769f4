import { initEngine, tf, type Decoder, type DecoderRow } from "@stagecraft/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { maxDifference, randomIds, tinyConfig, tinyModel } from "../../test/tiny.js";
import { createModel, type Model } from "../model.js";
import { createDecoder } from "./decoder.js";

beforeAll(() => initEngine({ engine: "auto" }));

const lastLogits = (model: Model, ids: Int32Array) => {
  const all = model.logits({ ids, batchSize: 1, length: ids.length });
  const values = Float32Array.from(all.dataSync()).slice(-model.config.vocabSize);
  all.dispose();
  return values;
};

describe("createDecoder()", () => {
  for (const config of [
    tinyConfig("llama"),
    tinyConfig("llama", { numKvHeads: 4, bias: true, tieEmbeddings: true }),
    tinyConfig("llama", { numKvHeads: 1 }),
    tinyConfig("qwen2"),
    tinyConfig("gpt2"),
    tinyConfig("gpt2", { bias: false }),
  ]) {
    const { architecture, numKvHeads, bias } = config;
    it(`equals the full forward: ${architecture}, ${numKvHeads} kv heads, bias ${bias}`, async () => {
      const model = tinyModel(config);
      const decoder = createDecoder(model, { maxSequences: 3, maxLength: 32 });
      const texts = [1, 2, 3].map((seed) => randomIds(config.vocabSize, 32, seed));
      const lengths = [0, 0, 0];
      // Prefill, single steps and chunks, in batches of mixed lengths.
      for (const counts of [
        [5, 9, 5],
        [1, 1, 1],
        [0, 1, 4],
        [7, 0, 1],
        [1, 1, 1],
        [3, 3, 3],
      ]) {
        const rows = counts.flatMap((count, slot) => {
          const from = lengths[slot]!;
          lengths[slot] = from + count;
          return count > 0 ? [{ slot, ids: texts[slot]!.slice(from, from + count) }] : [];
        });
        const logits = await decoder.append(rows);
        rows.forEach(({ slot }, i) => {
          const expected = lastLogits(model, texts[slot]!.slice(0, lengths[slot]));
          const row = logits.subarray(i * config.vocabSize, (i + 1) * config.vocabSize);
          // fp32 in another order of summation; logits are of size 10.
          expect(maxDifference(row, expected)).toBeLessThan(5e-5);
        });
      }
      decoder.dispose();
      model.dispose();
    });
  }

  it("starts a slot afresh after reset and leaks no tensor", async () => {
    const model = tinyModel(tinyConfig("llama"));
    const decoder = createDecoder(model, { maxSequences: 2, maxLength: 16 });
    const ids = randomIds(23, 6);
    const first = await decoder.append([{ slot: 1, ids }]);
    const { numTensors } = tf.memory();
    await decoder.append([{ slot: 1, ids: Int32Array.of(3) }]);
    decoder.reset(1);
    expect(await decoder.append([{ slot: 1, ids }])).toEqual(first);
    expect(tf.memory().numTensors).toBe(numTensors);
    decoder.dispose();
  });

  it("copies the beginning of a sequence into another slot", async () => {
    const model = tinyModel(tinyConfig("llama"));
    const decoder = createDecoder(model, { maxSequences: 2, maxLength: 32 });
    const ids = randomIds(23, 12);
    await decoder.append([{ slot: 0, ids }]);
    await decoder.append([{ slot: 1, ids: Int32Array.of(1, 2, 3) }]);
    decoder.fork(0, 1, 9);
    const other = Int32Array.of(4, 2);
    const logits = await decoder.append([{ slot: 1, ids: other }]);
    const expected = lastLogits(model, Int32Array.of(...ids.slice(0, 9), ...other));
    expect(maxDifference(logits, expected)).toBeLessThan(5e-5);
    const untouched = await decoder.append([{ slot: 0, ids: other }]);
    expect(
      maxDifference(untouched, lastLogits(model, Int32Array.of(...ids, ...other))),
    ).toBeLessThan(5e-5);
    expect(() => decoder.fork(0, 1, 15)).toThrow(/\[invalid_argument\].*15/);
    expect(() => decoder.fork(0, 2, 1)).toThrow(/\[invalid_argument\].*2/);
    decoder.dispose();
  });

  it("uses new weights after refreshWeights", async () => {
    const model = tinyModel(tinyConfig("llama"));
    const other = tinyModel(tinyConfig("llama"), { seed: 2 });
    const decoder = createDecoder(model, { maxSequences: 1, maxLength: 16 });
    const ids = randomIds(23, 6);
    await decoder.append([{ slot: 0, ids }]);
    model.load(other.tensors());
    decoder.refreshWeights();
    decoder.reset(0);
    const logits = await decoder.append([{ slot: 0, ids }]);
    expect(maxDifference(logits, lastLogits(other, ids))).toBeLessThan(5e-5);
    decoder.dispose();
  });

  it("draws by new weights after refreshWeights", async ({ skip }) => {
    const model = tinyModel(tinyConfig("llama"));
    const decoder = createDecoder(model, { maxSequences: 1, maxLength: 16 });
    if (!decoder.step) skip();
    const row = { slot: 0, ids: randomIds(23, 6) };
    const logits = await decoder.append([row]);
    const greedy = { temperatures: new Float32Array(1), uniforms: new Float32Array(1) };
    const draw = () => {
      decoder.reset(0);
      return decoder.step!([row], greedy).ids[0];
    };
    expect([draw(), draw()]).toEqual(Array(2).fill(logits.indexOf(Math.max(...logits))));
    const tensors = model.tensors();
    const lm = tensors.get("lm_head.weight")!.data as Float32Array;
    lm.forEach((x, i) => (lm[i] = -x));
    model.load(tensors);
    decoder.refreshWeights();
    expect(draw()).toBe(logits.indexOf(Math.min(...logits)));
    decoder.dispose();
    model.dispose();
  });

  it("keeps a session's weights until refreshWeights, whatever other sessions load", async () => {
    const model = tinyModel(tinyConfig("llama"));
    const old = tinyModel(tinyConfig("llama"));
    const other = tinyModel(tinyConfig("llama"), { seed: 2 });
    const ids = randomIds(23, 6);
    const options = { maxSequences: 1, maxLength: 16 };
    const logitsOf = async (decoder: Decoder) => {
      decoder.reset(0);
      return decoder.append([{ slot: 0, ids }]);
    };
    const [first, second] = [createDecoder(model, options), createDecoder(model, options)];
    model.load(other.tensors());
    const third = createDecoder(model, options);
    second.refreshWeights();
    expect(maxDifference(await logitsOf(first), lastLogits(old, ids))).toBeLessThan(5e-5);
    for (const decoder of [second, third]) {
      expect(maxDifference(await logitsOf(decoder), lastLogits(other, ids))).toBeLessThan(5e-5);
    }
    second.dispose();
    model.dispose(); // the weights stay with their last session
    expect(maxDifference(await logitsOf(third), lastLogits(other, ids))).toBeLessThan(5e-5);
    [first, third].forEach((decoder) => decoder.dispose());
  });

  it("refuses rows that cannot be", async () => {
    const model = tinyModel(tinyConfig("llama"));
    const decoder = createDecoder(model, { maxSequences: 2, maxLength: 8 });
    const one = Int32Array.of(1);
    const bad: [string, DecoderRow[]][] = [
      ["a slot out of range", [{ slot: 2, ids: one }]],
      [
        "a slot twice",
        [
          { slot: 0, ids: one },
          { slot: 0, ids: one },
        ],
      ],
      ["no tokens", [{ slot: 0, ids: new Int32Array(0) }]],
      ["too many tokens", [{ slot: 0, ids: new Int32Array(9) }]],
      ["an id outside the vocabulary", [{ slot: 0, ids: Int32Array.of(23) }]],
    ];
    for (const [what, rows] of bad) {
      await expect(decoder.append(rows), what).rejects.toThrow("[invalid_argument]");
    }
    decoder.dispose();
  });

  it("refuses options and models that cannot be", () => {
    const model = tinyModel(tinyConfig("llama"));
    expect(() => createDecoder(model, { maxSequences: 1, maxLength: 33 })).toThrow("maxLength 33");
    expect(() => createDecoder(model, { maxSequences: 0, maxLength: 8 })).toThrow("at least 1");
    const critic = createModel(tinyConfig("llama"), { seed: 1, heads: ["value"] });
    expect(() => createDecoder(critic, { maxSequences: 1, maxLength: 8 })).toThrow("no lm head");
  });
});
