import { describe, expect, it } from "vitest";
import {
  createDecoder,
  decoderHidden,
  initEngine,
  plainRope,
  tf,
  tokenLogProbs,
  type DecoderWeights,
} from "../../index.js";
import { createTensors } from "../../testing/random.js";

await initEngine({ engine: "native" });

const [V, D, F, P] = [70, 40, 56, 64];

function createWeights(
  gpt2: boolean,
  { numHeads = 4, numKvHeads = 2, headSize = 10 } = {},
): DecoderWeights {
  const t = createTensors(gpt2 ? 1 : 2);
  const linear = (out: number, width: number) => ({
    weight: t.matrix(out, width, 0.3),
    ...(gpt2 && { bias: t.vector(out, 0.2) }),
  });
  const norm = () => ({ weight: t.vector(D, 0.1, 1), ...(gpt2 && { bias: t.vector(D, 0.1) }) });
  const layers = [0, 1].map(() => ({
    ...(!gpt2 && { rope: plainRope(1e4, headSize / 2) }),
    attention: {
      norm: norm(),
      q: linear(numHeads * headSize, D),
      k: linear(numKvHeads * headSize, D),
      v: linear(numKvHeads * headSize, D),
      o: linear(D, numHeads * headSize),
    },
    mlp: {
      norm: norm(),
      ...(!gpt2 && { gate: linear(F, D) }),
      up: linear(F, D),
      down: linear(D, F),
    },
  }));
  const kind = { norm: gpt2 ? ("layer" as const) : ("rms" as const), normEps: 1e-5 };
  return {
    embedding: t.matrix(V, D),
    ...(gpt2 && { positions: t.matrix(P, D, 0.3) }),
    layers,
    finalNorm: norm(),
    lm: t.matrix(V, D, 0.2),
    attentionOptions: { ...kind, numHeads, numKvHeads },
    mlpOptions: { ...kind, activation: gpt2 ? "gelu" : "swiglu" },
  };
}

/** log p of every next token of one sequence by the training operations. */
function trainerLogProbs(weights: DecoderWeights, ids: Int32Array): Float32Array {
  return tf.tidy(() => {
    const layout = { batchSize: 1, length: ids.length };
    const normed = decoderHidden(ids, weights, layout);
    const targets = Int32Array.from(ids, (_, i) => ids[i + 1] ?? -1);
    const { divisor = 1, softcap } = weights.logits ?? {};
    const options = { temperature: divisor, ...(softcap && { softcap }) };
    return tokenLogProbs(normed, weights.lm, targets, options)
      .logProbs.dataSync<"float32">()
      .slice();
  });
}

const logSoftmaxAt = (logits: Float32Array, id: number) => {
  const top = Math.max(...logits);
  const total = logits.reduce((sum, z) => sum + Math.exp(z - top), 0);
  return (logits[id] as number) - top - Math.log(total);
};

/** Those of Llama's make with everything that a family may add. */
function withEverything(): DecoderWeights {
  const t = createTensors(6);
  const norm = (size: number) => ({ weight: t.vector(size, 0.1, 1) });
  const weights = createWeights(false);
  return {
    ...weights,
    layers: weights.layers.map(({ attention, mlp }, i) => ({
      attention: { ...attention, qNorm: norm(10), kNorm: norm(10), postNorm: norm(D) },
      mlp: { ...mlp, postNorm: norm(D) },
      ...(i === 0 && {
        rope: { frequencies: Float64Array.of(1, 0.2, 0.05), scale: 1.1 },
        window: 7,
      }),
    })),
    attentionOptions: { ...weights.attentionOptions, scale: 0.5, softcap: 3 },
    mlpOptions: { ...weights.mlpOptions, activation: "geglu" },
    ...{ embeddingScale: 2, residualScale: 0.8, logits: { softcap: 4 } },
  };
}

const SHAPES: Record<string, () => DecoderWeights> = {
  llama: () => createWeights(false),
  gpt2: () => createWeights(true),
  "all that families add": withEverything,
  "parallel blocks, divided logits": () => ({
    ...createWeights(true),
    ...{ parallel: true, logits: { divisor: 3 } },
  }),
  "norms of results and of all heads alone": () => {
    const weights = withEverything();
    const bare = <T extends { norm?: unknown }>({ norm: _, ...rest }: T) => rest;
    return {
      ...weights,
      layers: weights.layers.map(({ attention, mlp, ...rest }) => ({
        ...rest,
        attention: {
          ...bare(attention),
          qNorm: { weight: tf.tile(attention.qNorm!.weight, [4]) },
          kNorm: { weight: tf.tile(attention.kNorm!.weight, [2]) },
        },
        mlp: bare(mlp),
      })),
    };
  },
};

describe("createDecoder()", () => {
  for (const [name, create] of Object.entries(SHAPES)) {
    it(`agrees with the trainer on a whole rollout (${name})`, async () => {
      const weights = create();
      const decoder = createDecoder(weights, { maxSequences: 3, maxLength: P });
      const ids = createTensors(9).ids(60, V);
      const expected = trainerLogProbs(weights, ids);
      await decoder.append([{ slot: 2, ids: ids.slice(0, 20) }]);
      for (let i = 20; i < 40; i++) {
        const logits = await decoder.append([{ slot: 2, ids: ids.slice(i, i + 1) }]);
        const logProb = logSoftmaxAt(logits, ids[i + 1] as number);
        expect(Math.abs(logProb - (expected[i] as number))).toBeLessThan(2e-5);
      }
      decoder.dispose();
    });
  }

  it("gives a sequence the same bits alone, in a batch, and in pieces", async () => {
    const decoder = createDecoder(createWeights(false), { maxSequences: 20, maxLength: P });
    const t = createTensors(4);
    const ids = t.ids(37, V);
    const whole = await decoder.append([{ slot: 0, ids }]);
    const others = Array.from({ length: 18 }, (_, i) => ({ slot: i + 2, ids: t.ids(1 + i, V) }));
    await decoder.append([{ slot: 1, ids: ids.slice(0, 30) }, ...others]);
    let logits = whole;
    for (let i = 30; i < 37; i++) {
      const next = others.map(({ slot }) => ({ slot, ids: t.ids(1, V) }));
      logits = await decoder.append([...next, { slot: 1, ids: ids.slice(i, i + 1) }]);
    }
    expect(logits.slice(-V)).toEqual(whole);
    decoder.dispose();
  });

  it("reads changed weights after refreshWeights() and forgets after reset()", async () => {
    const weights = createWeights(true);
    const lm = tf.variable(weights.lm);
    const decoder = createDecoder({ ...weights, lm }, { maxSequences: 1, maxLength: P });
    const ids = Int32Array.of(3, 1, 4);
    const before = await decoder.append([{ slot: 0, ids }]);
    lm.assign(tf.mul(weights.lm, 2));
    decoder.refreshWeights();
    decoder.reset(0);
    const after = await decoder.append([{ slot: 0, ids }]);
    expect(after).toEqual(before.map((z) => z * 2)); // doubling is exact
    decoder.dispose();
  });

  it("forks a prefix", async () => {
    const decoder = createDecoder(createWeights(false), { maxSequences: 2, maxLength: P });
    const ids = createTensors(6).ids(40, V);
    const whole = await decoder.append([{ slot: 0, ids }]);
    decoder.fork(0, 1, 33);
    expect(await decoder.append([{ slot: 1, ids: ids.slice(33) }])).toEqual(whole);
    decoder.dispose();
  });

  it("samples from the temperature-only softmax", () => {
    const decoder = createDecoder(createWeights(false), { maxSequences: 200, maxLength: 8 });
    const rows = Array.from({ length: 200 }, (_, slot) => ({ slot, ids: Int32Array.of(5) }));
    const uniforms = Float32Array.from(rows, (_, i) => (i + 0.5) / 200);
    const { ids, logProbs } = decoder.step!(rows, {
      temperatures: new Float32Array(200).fill(1.5),
      uniforms,
    });
    // Stratified uniforms: every id comes up p·200 times, give or take one.
    const counts = new Map<number, number>();
    ids.forEach((id) => counts.set(id, (counts.get(id) ?? 0) + 1));
    for (const [id, count] of counts) {
      const p = Math.exp(logProbs[ids.indexOf(id)] as number);
      expect(Math.abs(count - p * 200)).toBeLessThanOrEqual(1.001);
    }
    expect(counts.size).toBeGreaterThan(10);
    const greedy = decoder.step!(rows.slice(0, 1), {
      temperatures: new Float32Array(1),
      uniforms: Float32Array.of(0.9),
    });
    expect(greedy.logProbs[0]).toBeLessThanOrEqual(0);
    decoder.dispose();
  });

  it("draws several tokens of a row as one by one, until a limit or its end token", async () => {
    const decoder = createDecoder(createWeights(false), { maxSequences: 20, maxLength: P });
    const t = createTensors(8);
    const rows = Array.from({ length: 20 }, (_, slot) => ({ slot, ids: t.ids(1 + slot, V) }));
    const temperatures = new Float32Array(20).fill(1);
    const numTokens = 9;
    const uniforms = Float32Array.from({ length: 20 * numTokens }, () => t.random.nextFloat());
    const expected = rows.map((row) => {
      const ids: number[] = [];
      const logProbs: number[] = [];
      for (let k = 0, next = row.ids; k < numTokens; k++, next = Int32Array.of(ids.at(-1)!)) {
        const drawn = decoder.step!([{ slot: row.slot, ids: next }], {
          temperatures: temperatures.slice(0, 1),
          uniforms: uniforms.slice(row.slot * numTokens + k).slice(0, 1),
        });
        ids.push(drawn.ids[0]!);
        logProbs.push(drawn.logProbs[0]!);
      }
      decoder.reset(row.slot);
      return { ids, logProbs };
    });
    const limits = Int32Array.from(rows, (_, i) => (i % 3 === 0 ? 4 : numTokens));
    const eosIds = Int32Array.from(rows, (_, i) => (i % 3 === 1 ? expected[i]!.ids[5]! : -1));
    const how = { temperatures, uniforms, numTokens, limits, eosIds };
    const { ids, logProbs, counts } = decoder.step!(rows, how);
    rows.forEach((_, i) => {
      const end = eosIds[i]! < 0 ? limits[i]! : expected[i]!.ids.indexOf(eosIds[i]!) + 1;
      expect(counts[i]).toBe(end);
      const from = i * numTokens;
      expect([...ids.subarray(from, from + end)]).toEqual(expected[i]!.ids.slice(0, end));
      expect([...logProbs.subarray(from, from + end)]).toEqual(expected[i]!.logProbs.slice(0, end));
    });
    const full = { ...how, limits: new Int32Array(20).fill(numTokens + 1) };
    expect(() => decoder.step!(rows, full)).toThrow("limits[0] is 10, outside 1 … 9");
    const penalty = { topK: 0, topP: 1, minP: 0, repetitionPenalty: 2, history: [1] };
    const filters = [penalty, ...Array.from({ length: 19 }, () => undefined)];
    expect(() => decoder.step!(rows, { ...how, filters })).toThrow("its limit must be 1");
    decoder.reset(3);
    const long = { slot: 3, ids: t.ids(P - 2, V) };
    const alone = { temperatures: temperatures.slice(0, 1), uniforms, numTokens: 4 };
    expect(() => decoder.step!([long], { ...alone, uniforms: uniforms.slice(0, 4) })).toThrow(
      "slot 3 has room to draw 3 tokens, got a limit of 4",
    );
    decoder.dispose();
  });

  it("refuses what does not fit, naming both sides", async () => {
    const weights = createWeights(false);
    const decoder = createDecoder(weights, { maxSequences: 2, maxLength: 4 });
    const one = (slot: number, ...ids: number[]) => ({ slot, ids: Int32Array.from(ids) });
    await expect(decoder.append([one(2, 1)])).rejects.toThrow("slots[0] is 2, outside 0 … 1");
    await expect(decoder.append([one(0, V)])).rejects.toThrow("ids[0] is 70");
    await expect(decoder.append([one(0, 1, 2, 3, 4, 5)])).rejects.toThrow(
      "room for 4 tokens, got 5",
    );
    await expect(decoder.append([one(0, 1), one(0, 1)])).rejects.toThrow("slot 0 appears twice");
    await expect(decoder.append([one(0)])).rejects.toThrow("counts");
    const bad = { ...weights, lm: tf.zeros([V, D + 1]) as tf.Tensor2D };
    expect(() => createDecoder(bad, { maxSequences: 1, maxLength: 4 })).toThrow(
      "lm is [70, 41], expected [70, 40]",
    );
    decoder.dispose();
    await expect(decoder.append([one(0, 1)])).rejects.toThrow("disposed");
  });
});
