import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { f32, openCheckpoints } from "@stagecraft/checkpoint";
import { createOptimizer, initEngine, tf, valueAndGrads } from "@stagecraft/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { allowBatchRounding } from "../test/batch-rounding.js";
import { maxDifference, randomIds, take, tinyConfig, tinyModel } from "../test/tiny.js";
import { createModel, modelFromTensors, type Model } from "./model.js";

beforeAll(async () => {
  await initEngine({ engine: "auto" });
  allowBatchRounding();
});

describe("heads", () => {
  const config = tinyConfig("llama");

  it("give the value of the state before token t", () => {
    const model = tinyModel(config, { heads: ["value"] });
    const ids = randomIds(config.vocabSize, 8);
    const valuesOf = (at: Int32Array) => take(model.values({ ids: at, batchSize: 1, length: 8 }));
    const values = valuesOf(ids);
    const changed = ids.slice();
    changed[5] = (ids[5]! + 1) % config.vocabSize;
    const after = valuesOf(changed);
    // V of token t is row t − 1: it must not see token t, and must see token t − 1.
    expect(after[4]).toBe(values[4]);
    expect(Math.abs(after[5]! - values[5]!)).toBeGreaterThan(1e-4);
  });

  it("start with values of zero and small scores", () => {
    const model = createModel(config, { seed: 1, heads: ["value", "score"] });
    const batch = { ids: randomIds(config.vocabSize, 8), batchSize: 2, length: 4 };
    expect([...take(model.values(batch))]).toEqual(new Array(8).fill(0));
    const scores = take(model.scores(batch, Int32Array.of(3, 7)));
    expect(Math.max(...scores.map(Math.abs))).toBeLessThan(4);
    expect(scores[0]).not.toBe(scores[1]);
  });

  it("score the row that is asked for", () => {
    const model = tinyModel(config, { heads: ["score"] });
    const ids = randomIds(config.vocabSize, 12);
    const padded = take(model.scores({ ids, batchSize: 2, length: 6 }, Int32Array.of(3, 11)));
    const alone = take(
      model.scores({ ids: ids.slice(0, 4), batchSize: 1, length: 4 }, Int32Array.of(3)),
    );
    expect(padded[0]).toBeCloseTo(alone[0]!, 5);
    expect(() => model.scores({ ids, batchSize: 2, length: 6 }, Int32Array.of(12))).toThrow(
      "lastIndex[0] is 12",
    );
  });

  it("give the rows that are read the same bits, and the others nothing", () => {
    const model = tinyModel(config, { heads: ["lm", "value"] });
    const batch = { ids: randomIds(config.vocabSize, 12), batchSize: 2, length: 6 };
    const rows = Int32Array.of(2, 3, 4, 9);
    const targets = new Int32Array(12).fill(-1);
    for (const row of rows) targets[row] = 5;
    const all = take(model.values(batch));
    const some = take(model.values({ ...batch, rows }));
    const atRows = (values: Float32Array) =>
      [...values].map((value, row) => (rows.includes(row) ? value : 0));
    expect([...some]).toEqual(atRows(all));
    const everyTarget = new Int32Array(12).fill(5);
    const full = model.logProbs({ ...batch, targets: everyTarget });
    const read = model.logProbs({ ...batch, targets });
    const both = model.logProbsAndValues({ ...batch, targets, rows });
    for (const field of ["logProbs", "entropy"] as const) {
      const expected = atRows(take(full[field]));
      expect([...read[field].dataSync()]).toEqual(expected);
      expect([...both[field].dataSync()]).toEqual(expected);
    }
    expect([...both.values.dataSync()]).toEqual([...some]);
    tf.dispose([{ ...read }, { ...both }]);
    expect(() => model.values({ ...batch, rows: Int32Array.of(12) })).toThrow(
      /row 12 is asked for/,
    );
    expect(() => model.values({ ...batch, rows: new Int32Array() })).toThrow(/rows is empty/);
  });

  it("have the gradients of the rows that are read, whatever else the batch holds", () => {
    const model = tinyModel(config, { heads: ["lm"] });
    const ids = randomIds(config.vocabSize, 12);
    const targets = Int32Array.from({ length: 12 }, (_, row) => (row % 3 === 0 ? 4 : -1));
    const batch = { ids, batchSize: 2, length: 6, targets };
    const weight = tf.tensor1d(Array.from(targets, (target) => (target < 0 ? 0 : 1)));
    const gradsOf = (read: typeof batch) =>
      valueAndGrads(model.params, () => tf.sum(tf.mul(model.logProbs(read).logProbs, weight)));
    const left = gradsOf(batch).grads;
    const all = gradsOf({ ...batch, targets: targets.map((target) => Math.max(target, 0)) }).grads;
    for (const [name, grad] of left) {
      expect(maxDifference(grad.dataSync(), all.get(name)!.dataSync())).toBeLessThan(1e-5);
    }
    tf.dispose([weight, ...left.values(), ...all.values()]);
  });

  it("are needed for what they do", () => {
    const model = createModel(config, { seed: 1, heads: ["score"] });
    expect(() => model.logits({ ids: Int32Array.of(1), batchSize: 1, length: 1 })).toThrow(
      "[failed_precondition] the model has no lm head, only score",
    );
  });

  it("ties the output to the embedding and adds up both gradients", () => {
    const tied = tinyModel(tinyConfig("llama", { tieEmbeddings: true }));
    const table = tied.tensors().get("model.embed_tokens.weight")!;
    const untied = modelFromTensors(
      tinyConfig("llama"),
      new Map(tied.tensors()).set("lm_head.weight", table),
      { seed: 0 },
    );
    const ids = randomIds(config.vocabSize, 8);
    const gradients = (model: Model) =>
      valueAndGrads(model.params, () =>
        tf.mean(model.logProbs({ ids, targets: ids, batchSize: 1, length: 8 }).logProbs),
      ).grads;
    const [ours, apart] = [gradients(tied), gradients(untied)];
    const sum = tf.add(apart.get("model.embed_tokens.weight")!, apart.get("lm_head.weight")!);
    expect(maxDifference(take(ours.get("model.embed_tokens.weight")!), take(sum))).toBeLessThan(
      1e-6,
    );
    expect(tied.params.has("lm_head.weight")).toBe(false);
  });
});

describe("createModel() and load()", () => {
  const config = tinyConfig("gpt2");

  it("repeats its weights for a seed, whatever the heads", () => {
    const a = createModel(config, { seed: 7 });
    const b = createModel(config, { seed: 7, heads: ["value"] });
    const c = createModel(config, { seed: 8 });
    const name = "transformer.h.1.mlp.c_fc.weight";
    expect(a.tensors().get(name)).toEqual(b.tensors().get(name));
    expect(a.tensors().get(name)).not.toEqual(c.tensors().get(name));
  });

  it("follows GPT-2's scales", () => {
    const model = createModel(
      tinyConfig("gpt2", { hiddenSize: 128, intermediateSize: 512, numLayers: 8 }),
      { seed: 1 },
    );
    const deviation = (name: string) => {
      const data = model.tensors().get(name)!.data as Float32Array;
      return Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length);
    };
    expect(deviation("transformer.h.0.attn.q_proj.weight")).toBeCloseTo(0.02, 3);
    expect(deviation("transformer.h.0.attn.c_proj.weight")).toBeCloseTo(0.02 / 4, 3);
    expect(deviation("transformer.h.0.mlp.c_proj.weight")).toBeCloseTo(0.02 / 4, 3);
    expect(deviation("transformer.h.0.ln_1.weight")).toBe(1);
  });

  it("copies: the tensors and the model do not share memory", () => {
    const model = createModel(config, { seed: 1 });
    const copy = model.tensors();
    const twin = modelFromTensors(config, copy, { seed: 0 });
    const entry = copy.get("transformer.wte.weight")!;
    const before = (entry.data as Float32Array)[0]!;
    (entry.data as Float32Array)[0] = 99;
    for (const each of [model, twin]) {
      expect((each.tensors().get("transformer.wte.weight")!.data as Float32Array)[0]).toBe(before);
    }
  });

  it("reports every misfit at once and changes nothing", () => {
    const model = createModel(config, { seed: 1 });
    const before = model.tensors();
    const broken = new Map(before);
    broken.delete("transformer.ln_f.bias");
    broken.set("extra", f32([1], new Float32Array(1)));
    broken.set("transformer.wte.weight", f32([30, 16], new Float32Array(480)));
    expect(() => model.load(broken)).toThrow(
      /failed_precondition.*1 missing: transformer\.ln_f\.bias; 1 unexpected: extra; transformer\.wte\.weight is \[30, 16\], the model needs \[23, 16\].*vocabulary of 30 tokens/,
    );
    expect(model.tensors()).toEqual(before);
  });

  it("recognises a checkpoint of another architecture", () => {
    const llama = createModel(tinyConfig("llama"), { seed: 1 });
    expect(() => createModel(config, { seed: 1 }).load(llama.tensors())).toThrow(
      /another architecture/,
    );
  });

  it("refuses batches that do not fit", () => {
    const model = createModel(config, { seed: 1 });
    const one = { batchSize: 1, length: 1 };
    expect(() => model.hidden({ ids: Int32Array.of(23), ...one })).toThrow(/token id 23 at row 0/);
    expect(() => model.hidden({ ids: Int32Array.of(-1), ...one })).toThrow(/token id -1/);
    expect(() => model.hidden({ ids: Int32Array.of(1, 2), ...one })).toThrow(/ids has 2 values/);
    expect(() => model.hidden({ ids: new Int32Array(33), batchSize: 1, length: 33 })).toThrow(
      /33 tokens are longer than the model's 32 positions/,
    );
    expect(() =>
      model.hidden({ ids: Int32Array.of(1), positions: Int32Array.of(32), ...one }),
    ).toThrow(/position 32/);
  });

  it("lists every problem of a config", () => {
    expect(() =>
      tinyConfig("gpt2", { vocabSize: 0, hiddenSize: 18, numKvHeads: 2, normEps: -1 }),
    ).toThrow(/vocabSize.*hiddenSize 18.*grouped queries.*normEps/);
  });
});

describe("a training run that is interrupted", () => {
  const config = tinyConfig("gpt2");
  const adamw = {
    kind: "adamw",
    beta1: 0.9,
    beta2: 0.99,
    eps: 1e-8,
    weightDecay: 0.1,
    clipNorm: 1,
  } as const;

  function train(model: Model, optimizer: ReturnType<typeof createOptimizer>, steps: number[]) {
    for (const step of steps) {
      const batch = {
        ids: randomIds(23, 16, step),
        targets: randomIds(23, 16, step + 100),
        batchSize: 2,
        length: 8,
      };
      const { value, grads } = valueAndGrads(model.params, () =>
        tf.tidy(() => tf.neg(tf.mean(model.logProbs(batch).logProbs)) as tf.Scalar),
      );
      optimizer.step(grads, 0.01);
      tf.dispose([value, ...grads.values()]);
    }
  }

  it("continues from its checkpoint to the same weights, bit for bit", async () => {
    const directory = await mkdtemp(join(tmpdir(), "stagecraft-resume-"));
    const whole = createModel(config, { seed: 1 });
    train(whole, createOptimizer(whole.params, adamw), [1, 2, 3, 4]);

    const first = createModel(config, { seed: 1 });
    const before = createOptimizer(first.params, adamw);
    train(first, before, [1, 2]);
    const moments = [...before.state()].map(
      ([name, data]) => [`optimizer.${name}`, f32([data.length], data)] as const,
    );
    const tensors = new Map([...first.tensors(), ...moments]);
    await openCheckpoints(directory).save(2, { tensors, state: {} });

    const loaded = await openCheckpoints(directory).loadLatest();
    const isMoment = (name: string) => name.startsWith("optimizer.");
    const second = modelFromTensors(
      config,
      new Map([...loaded!.tensors].filter(([name]) => !isMoment(name))),
      { seed: 99 },
    );
    const after = createOptimizer(second.params, adamw);
    after.load(
      new Map(
        [...loaded!.tensors]
          .filter(([name]) => isMoment(name))
          .map(([name, { data }]) => [name.slice("optimizer.".length), data as Float32Array]),
      ),
    );
    train(second, after, [3, 4]);
    expect(second.tensors()).toEqual(whole.tensors());
    await rm(directory, { recursive: true });
  });
});
