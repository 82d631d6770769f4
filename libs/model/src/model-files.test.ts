import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  f32,
  readModelDirectory,
  writeModelDirectory,
  writeSafetensors,
  type TensorMap,
} from "@stagecraft/checkpoint";
import { initEngine, tf } from "@stagecraft/tensor";
import { loadTokenizer } from "@stagecraft/tokenizer";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { maxDifference, randomIds, tinyConfig, tinyModel } from "../test/tiny.js";
import { loadModelToTeach } from "./chat-model.js";
import { ARCHITECTURES, FAMILIES } from "./families/index.js";
import { growVocabulary } from "./grow-vocabulary.js";
import { fromHfConfig, toHfConfig } from "./hf-config.js";
import { fromHfTensors, toHfTensors } from "./hf-weights.js";
import { loadModel, readModelInfo, saveModel } from "./model-files.js";
import { addLora } from "./lora.js";
import { createModel, withHeadsOnly, type Model } from "./model.js";

beforeAll(() => initEngine({ engine: "auto" }));

const fixture = (name: string) => join(import.meta.dirname, "../test/fixtures", name);

async function tempDir() {
  const path = await mkdtemp(join(tmpdir(), "stagecraft-model-"));
  return {
    path: join(path, "model"),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

interface Expected {
  ids: number[][];
  mask: number[][];
  logits: number[][];
}

const expectedOf = async (name: string) =>
  JSON.parse(await readFile(join(fixture(name), "expected.json"), "utf8")) as Expected;

/** Whether the array is not the parameter's own; of those on a device, which have none, false. */
function isOther({ params }: Model, name: string, data: unknown): boolean {
  const [first, second] = [params.get(name)!.dataSync(), params.get(name)!.dataSync()];
  return first === second && first !== data;
}

describe("saveModel()", () => {
  const config = tinyConfig("llama");
  const base = () => tinyModel(config);
  const lora = { rank: 2, alpha: 4, targets: ["q"], seed: 1 } as const;

  for (const [what, make, sums] of [
    ["a model", base, []],
    ["a model with adapters", () => addLora(base(), lora), [/q_proj/]],
  ] as const) {
    it(`holds no second copy of the weights of ${what} on the host while it writes`, async () => {
      await using dir = await tempDir();
      const model = make();
      const own = "base" in model ? (model as { base: Model }).base : model;
      const written: TensorMap[] = [];
      const tensors: Model["tensors"] = (options) => {
        written.push(model.tensors(options));
        return written.at(-1)!;
      };
      const { heads, dtype } = model;
      const reads = vi.spyOn(tf.backend(), "readSync");
      await saveModel(dir.path, { config, heads, dtype, tensors }, { tokenizerFiles: {} });
      expect(written).toHaveLength(1);
      expect(reads).toHaveBeenCalledTimes(written[0]!.size); // on a device each is a copy, the only one
      reads.mockRestore();
      const copied = [...written[0]!].filter(([name, { data }]) => isOther(own, name, data));
      const names = copied.map(([name]) => name);
      expect(names.every((name) => sums.some((sum) => sum.test(name)))).toBe(true);
      model.dispose();
    });
  }
});

describe("models that transformers saved", () => {
  for (const name of ["llama-gqa", "llama-tied-bias", "gpt2"]) {
    it(`give transformers' logits: ${name}`, async () => {
      const model = await loadModel(fixture(name));
      const { ids, mask, logits } = await expectedOf(name);
      const [batchSize, length] = [ids.length, ids[0]!.length];
      const flatMask = mask.flat();
      let position = 0;
      const positions = flatMask.map(
        (m, row) => (row % length === 0 && (position = 0), m ? position++ : 0),
      );
      const result = model.logits({
        ids: Int32Array.from(ids.flat()),
        batchSize,
        length,
        segments: Int32Array.from(flatMask),
        positions: Int32Array.from(positions),
      });
      const rows = result.arraySync().filter((_, row) => flatMask[row] === 1);
      // fp32 sums in another order, on logits of size 1 … 30.
      expect(maxDifference(rows.flat(), logits.flat())).toBeLessThan(1e-4);
      result.dispose();
      model.dispose();
    });
  }

  it("give transformers' score", async () => {
    const model = await loadModel(fixture("llama-score"));
    expect(model.heads).toEqual(["score"]);
    const file = await readFile(join(fixture("llama-score"), "expected.json"), "utf8");
    const { ids, score } = JSON.parse(file) as { ids: number[]; score: number };
    const flat = Int32Array.from(ids.flat());
    const result = model.scores(
      { ids: flat, batchSize: 1, length: flat.length },
      Int32Array.of(flat.length - 1),
    );
    expect(result.dataSync()[0]).toBeCloseTo(score, 4);
  });

  it("are written back with the same names, shapes and bits", async () => {
    for (const name of ["llama-gqa", "llama-tied-bias", "gpt2"]) {
      await using dir = await tempDir();
      const model = await loadModel(fixture(name));
      await saveModel(dir.path, model, { tokenizerFiles: {} });
      const ours = await readModelDirectory(dir.path);
      const theirs = await readModelDirectory(fixture(name));
      expect(sorted(ours.tensors)).toEqual(sorted(theirs.tensors));
      for (const [field, value] of Object.entries(ours.config)) {
        if (field in theirs.config && !field.endsWith("_token_id") && field !== "pad_token_id") {
          expect(value, field).toEqual(theirs.config[field]);
        }
      }
    }
  });
});

describe("model directories", () => {
  for (const config of [
    tinyConfig("llama", { bias: true }),
    tinyConfig("llama", { headSize: 6 }),
    tinyConfig("gpt2"),
    tinyConfig("gpt2", { bias: false }),
    tinyConfig("qwen2"),
  ]) {
    const { architecture, bias, headSize } = config;
    it(`round-trip ${architecture} ${bias ? "with" : "without"} biases, heads of ${headSize}`, async () => {
      await using dir = await tempDir();
      const model = tinyModel(config, { heads: ["lm", "value"] });
      await saveModel(dir.path, model, {
        tokenizerFiles: { "tokenizer.json": "{}" },
        extra: { step: 7 },
      });
      const loaded = await loadModel(dir.path);
      expect(loaded.config).toEqual(config);
      expect(loaded.heads).toEqual(["lm", "value"]);
      expect(loaded.tensors()).toEqual(model.tensors());
      expect(await readModelInfo(dir.path)).toEqual({
        config,
        heads: ["lm", "value"],
        extra: { step: 7 },
        files: { "tokenizer.json": "{}" },
      });
    });
  }

  it("start a reward model from an SFT model and a critic from a reward model", async () => {
    await using dir = await tempDir();
    const sft = tinyModel(tinyConfig("llama"));
    await saveModel(dir.path, sft, { tokenizerFiles: {} });
    const reward = await loadModel(dir.path, { heads: ["score"], seed: 3 });
    expect(reward.params.has("lm_head.weight")).toBe(false);
    expect(reward.params.get("score.weight")!.shape).toEqual([1, 16]);
    await saveModel(dir.path, reward, { tokenizerFiles: {} });
    const critic = await loadModel(dir.path, { heads: ["value"] });
    const ids = randomIds(23, 4);
    const values = critic.values({ ids, batchSize: 1, length: 4 });
    expect([...values.dataSync()]).toEqual([0, 0, 0, 0]);
    expect(critic.tensors().get("model.norm.weight")).toEqual(
      sft.tensors().get("model.norm.weight"),
    );
    await expect(loadModel(dir.path, { heads: ["lm"] })).rejects.toThrow(
      "1 missing: lm_head.weight",
    );
  });

  it("note the tokenizer's special ids for other tools", async () => {
    await using dir = await tempDir();
    const added = [
      { id: 0, content: "<|pad|>" },
      { id: 2, content: "<|end|>" },
    ];
    const tokenizerFiles = {
      "tokenizer.json": JSON.stringify({ added_tokens: added }),
      "tokenizer_config.json": JSON.stringify({
        pad_token: "<|pad|>",
        eos_token: { content: "<|end|>" },
      }),
    };
    await saveModel(dir.path, createModel(tinyConfig("llama"), { seed: 1 }), { tokenizerFiles });
    const { config } = await readModelDirectory(dir.path);
    expect(config).toMatchObject({ pad_token_id: 0, eos_token_id: 2, bos_token_id: null });
  });

  it("name no padding in a reward model whose padding is the token that is scored", async () => {
    await using dir = await tempDir();
    const tokenizerFiles = {
      "tokenizer.json": JSON.stringify({ added_tokens: [{ id: 2, content: "</s>" }] }),
      "tokenizer_config.json": JSON.stringify({ pad_token: "</s>", eos_token: "</s>" }),
    };
    for (const [head, pad] of [
      ["score", null],
      ["lm", 2],
    ] as const) {
      const model = createModel(tinyConfig("llama"), { seed: 1, heads: [head] });
      await saveModel(dir.path, model, { tokenizerFiles });
      expect((await readModelDirectory(dir.path)).config["pad_token_id"]).toBe(pad);
    }
  });

  it("write a score head without bias; one with bias from before loads and scores with it", async () => {
    await using dir = await tempDir();
    const config = tinyConfig("llama");
    const model = createModel(config, { seed: 1, heads: ["score"] });
    expect([...model.tensors().keys()]).not.toContain("score.bias");
    const scoreOf = (scored: Model) => {
      const batch = { ids: randomIds(23, 4), batchSize: 1, length: 4 };
      return tf.tidy(() => scored.scores(batch, Int32Array.of(3)).dataSync()[0]!);
    };
    const old = new Map([...model.tensors(), ["score.bias", f32([1], Float32Array.of(0.75))]]);
    await saveModel(dir.path, model, { tokenizerFiles: {} });
    await writeSafetensors(join(dir.path, "model.safetensors"), old);
    const loaded = await loadModel(dir.path);
    expect(scoreOf(loaded)).toBeCloseTo(scoreOf(model) + 0.75, 5);
    loaded.load(loaded.tensors());
    expect(loaded.tensors().get("score.bias")!.data).toEqual(Float32Array.of(0.75));
  });

  it("refuse a tokenizer with more tokens than embeddings, added ones included", async () => {
    await using dir = await tempDir();
    const vocab = { a: 0, b: 22 };
    const json = (added: number) =>
      JSON.stringify({ model: { vocab }, added_tokens: [{ id: added, content: "<x>" }] });
    const save = (added: number) =>
      saveModel(dir.path, tinyModel(tinyConfig("llama")), {
        tokenizerFiles: { "tokenizer.json": json(added) },
      });
    await save(20);
    await loadModel(dir.path);
    await save(23);
    for (const read of [loadModel, readModelInfo]) {
      await expect(read(dir.path)).rejects.toThrow("the tokenizer has 24 tokens, the model of");
    }
  });

  it("take a tokenizer whose last special token nothing uses, as Gemma 3's for images, and learn with it", async () => {
    await using dir = await tempDir();
    const save = (config: object) =>
      saveModel(dir.path, tinyModel(tinyConfig("llama")), {
        tokenizerFiles: {
          "tokenizer.json": JSON.stringify({
            pre_tokenizer: { type: "Digits" },
            decoder: { type: "Fuse" },
            model: { type: "BPE", vocab: { a: 0, b: 22 }, merges: [] },
            added_tokens: [{ id: 23, content: "<image>", special: true }],
          }),
          "tokenizer_config.json": JSON.stringify(config),
        },
      });
    await save({ image_token: "<image>", chat_template: "{{ messages[0].content }}" });
    const tokenizer = await loadTokenizer(dir.path);
    const model = await loadModelToTeach(dir.path, { tokenizer, loraRank: 2 });
    expect(model.config.vocabSize).toBe(23);
    for (const used of [
      { pad_token: "<image>" },
      { eos_token: { content: "<image>" } },
      { chat_template: "<image>{{ messages[0].content }}" },
      { image_token: "<image>", chat_template: "{{ image_token }}" },
    ]) {
      await save(used);
      await expect(loadModel(dir.path)).rejects.toThrow("the tokenizer has 24 tokens");
    }
  });

  it("refuse a Unigram vocabulary, a list, with more tokens than embeddings", async () => {
    await using dir = await tempDir();
    const save = (numPieces: number) => {
      const vocab = Array.from({ length: numPieces }, (_, i) => [`p${i}`, -i]);
      const json = JSON.stringify({ model: { type: "Unigram", vocab } });
      return saveModel(dir.path, tinyModel(tinyConfig("llama")), {
        tokenizerFiles: { "tokenizer.json": json },
      });
    };
    await save(23);
    await loadModel(dir.path);
    await save(24);
    for (const read of [loadModel, readModelInfo]) {
      await expect(read(dir.path)).rejects.toThrow("the tokenizer has 24 tokens, the model of");
    }
  });

  it("list every token that ends an answer, in both configurations", async () => {
    await using dir = await tempDir();
    const generation = `{"eos_token_id": [2, 0], "top_p": 0.9}`;
    const tokenizerFiles = { "tokenizer.json": "{}", "generation_config.json": generation };
    await saveModel(dir.path, createModel(tinyConfig("llama"), { seed: 1 }), { tokenizerFiles });
    const { config, files } = await readModelDirectory(dir.path);
    expect(config["eos_token_id"]).toEqual([2, 0]);
    expect(files["generation_config.json"]).toBe(generation);
  });

  it("refuse weights of another vocabulary and of another architecture", async () => {
    await using dir = await tempDir();
    await saveModel(dir.path, tinyModel(tinyConfig("llama")), { tokenizerFiles: {} });
    const other = tinyModel(tinyConfig("llama", { vocabSize: 50 }));
    const file = join(dir.path, "model.safetensors");
    await writeSafetensors(file, other.tensors());
    await expect(loadModel(dir.path)).rejects.toThrow(/\[50, 16\].*vocabulary of 50 tokens/);
    await writeSafetensors(
      file,
      toHfTensors(tinyConfig("gpt2"), tinyModel(tinyConfig("gpt2")).tensors()),
    );
    await expect(loadModel(dir.path)).rejects.toThrow(/another architecture/);
    await writeFile(file, (await readFile(file)).subarray(0, -10));
    await expect(loadModel(dir.path)).rejects.toThrow(/\[data_loss\].*truncated/);
  });
});

describe("fromHfConfig()", () => {
  const llama = toHfConfig(tinyConfig("llama"));
  const gpt2 = toHfConfig(tinyConfig("gpt2"));

  it("reads rope_theta where transformers 4 and 5 write it", () => {
    const { rope_parameters: _, ...v4 } = llama;
    const v5 = {
      ...llama,
      rope_theta: null,
      rope_parameters: { rope_type: "default", rope_theta: 77 },
    };
    expect(fromHfConfig({ ...v4, rope_theta: 55 }).ropeTheta).toBe(55);
    expect(fromHfConfig(v5).ropeTheta).toBe(77);
  });

  it("reads a top-level rope_theta beside rope_parameters that lack it", () => {
    const beside = { ...llama, rope_theta: 55, rope_parameters: { rope_type: "default" } };
    expect(fromHfConfig(beside).ropeTheta).toBe(55);
    const { rope_theta: _, rope_parameters: __, ...none } = llama;
    expect(fromHfConfig(none).ropeTheta).toBe(10_000);
    const wrong = { ...llama, rope_parameters: { rope_theta: "1e6" } };
    expect(() => fromHfConfig(wrong)).toThrow(
      'rope_parameters.rope_theta must be a number, got "1e6"',
    );
  });

  it("refuses a classifier of another number of labels than one", () => {
    const { stagecraft: _, ...fields } = llama;
    const foreign = { ...fields, architectures: ["LlamaForSequenceClassification"] };
    const three = { "0": "a", "1": "b", "2": "c" };
    expect(fromHfConfig({ ...foreign, id2label: { "0": "SCORE" } }).architecture).toBe("llama");
    expect(fromHfConfig({ ...foreign, num_labels: 1 }).architecture).toBe("llama");
    expect(() => fromHfConfig({ ...foreign, id2label: three })).toThrow(
      "a classifier with 3 labels",
    );
    expect(() => fromHfConfig({ ...foreign, num_labels: 5 })).toThrow("a classifier with 5 labels");
    expect(() => fromHfConfig(foreign)).toThrow("a classifier with 2 labels");
  });

  it("refuses what would compute something else, everything at once", () => {
    expect(() => fromHfConfig({ model_type: "bert" }, "d/config.json")).toThrow(
      '[unimplemented] d/config.json: model_type "bert"',
    );
    expect(() =>
      fromHfConfig({
        ...llama,
        hidden_act: "gelu",
        rope_scaling: { rope_type: "proportional" },
        quantization_config: {},
      }),
    ).toThrow(/hidden_act "gelu".*rope_scaling.*proportional.*quantization/);
    expect(() => fromHfConfig({ ...gpt2, activation_function: "mish" })).toThrow(/"mish"/);
    expect(() => fromHfConfig({ ...gpt2, n_embd: "x" })).toThrow(/n_embd must be a number/);
  });
});

describe("fromHfTensors()", () => {
  it("accepts bare base models, mask buffers and a repeated lm_head", () => {
    const config = tinyConfig("gpt2");
    const ours = tinyModel(config).tensors();
    const bare = new Map(
      [...toHfTensors(config, ours)].map(([name, entry]) => [
        name.replace("transformer.", ""),
        entry,
      ]),
    );
    bare.set("h.0.attn.bias", { dtype: "U8", shape: [1], data: new Uint8Array(1) });
    bare.set("lm_head.weight", bare.get("wte.weight")!);
    expect(sorted(fromHfTensors(config, bare).tensors)).toEqual(sorted(ours));
  });

  it("refuses tied embeddings beside another lm_head", () => {
    for (const architecture of ["llama", "gpt2"] as const) {
      const config = tinyConfig(architecture, { tieEmbeddings: true });
      const tensors = new Map(toHfTensors(config, tinyModel(config).tensors()));
      const name = FAMILIES[architecture].names.embedding;
      const { shape, data } = tensors.get(name)!;
      const other = Float32Array.from(data as Float32Array);
      tensors.set("lm_head.weight", f32(shape, other));
      expect(fromHfTensors(config, tensors).tensors.has("lm_head.weight")).toBe(false);
      other[7]! += 1e-3;
      expect(() => fromHfTensors(config, tensors)).toThrow(
        "lm_head.weight is another matrix; set tie_word_embeddings to false",
      );
    }
  });

  for (const architecture of ARCHITECTURES) {
    it(`holds no weight twice: ${architecture}`, () => {
      const config = tinyConfig(architecture);
      const ours = tinyModel(config).tensors();
      const given = new Map(
        [...toHfTensors(config, ours)].map(([name, { shape, data }]) => {
          return [name, f32(shape, Float32Array.from(data as Float32Array))];
        }),
      );
      const { tensors } = fromHfTensors(config, given);
      expect(maxDifference(valuesOf(tensors), valuesOf(ours))).toBeLessThan(1e-6); // of 1 + w
      const buffers = new Set([...given.values()].map(({ data }) => data.buffer));
      for (const [name, { data, shape }] of tensors) {
        if (shape.length > 1) expect(buffers.has(data.buffer), name).toBe(true);
      }
    });
  }

  it("refuses biases that a bias-free model would drop", () => {
    const tensors = toHfTensors(tinyConfig("gpt2"), tinyModel(tinyConfig("gpt2")).tensors());
    expect(() => fromHfTensors(tinyConfig("gpt2", { bias: false }), tensors)).toThrow(
      /is not zero/,
    );
  });
});

describe("the type of weights in files", () => {
  const config = tinyConfig("phi3");
  const fractions = (data: ArrayLike<number>) =>
    Math.max(...Array.from(data, (value) => Math.abs(value)));

  for (const [dtype, torch, share] of [
    ["f32", "float32", 0],
    ["bf16", "bfloat16", 2 ** -8],
    ["f16", "float16", 2 ** -11],
  ] as const) {
    it(`is the one that is asked for, said in config.json, and known when they are read: ${dtype}`, async () => {
      await using dir = await tempDir();
      const model = tinyModel(config);
      await saveModel(dir.path, model, { tokenizerFiles: {}, dtype });
      const { config: hf, tensors } = await readModelDirectory(dir.path);
      expect([hf["dtype"], hf["torch_dtype"]]).toEqual([torch, torch]);
      expect(new Set([...tensors.values()].map((entry) => entry.dtype))).toEqual(
        new Set([dtype.toUpperCase()]),
      );
      const again = await loadModel(dir.path);
      expect([model.dtype, again.dtype]).toEqual(["f32", dtype]);
      const [before, after] = [valuesOf(model.tensors()), valuesOf(again.tensors())];
      const most = fractions(before);
      expect(maxDifference(after, before) / most).toBeLessThanOrEqual(share);
      expect(after.some((value, i) => value !== before[i])).toBe(share > 0);
      await saveModel(dir.path, again, { tokenizerFiles: {}, dtype: again.dtype });
      expect(valuesOf((await loadModel(dir.path)).tensors())).toEqual(after);
    });
  }

  it("is float32 where a file has several, so that nothing is lost", async () => {
    await using dir = await tempDir();
    await saveModel(dir.path, tinyModel(config), { tokenizerFiles: {}, dtype: "bf16" });
    const { tensors, ...rest } = await readModelDirectory(dir.path);
    const name = "model.norm.weight";
    tensors.set(name, { ...tensors.get(name)!, dtype: "F32" });
    await writeModelDirectory(dir.path, { ...rest, tensors });
    expect((await loadModel(dir.path)).dtype).toBe("f32");
  });

  it("is refused when it cannot hold a weight, by its name", async () => {
    await using dir = await tempDir();
    const model = tinyModel(config);
    const tensors = new Map(model.tensors());
    tensors.set("model.norm.weight", f32([16], new Float32Array(16).fill(-70_000)));
    model.load(tensors);
    const write = (dtype: "f16" | "bf16") =>
      saveModel(dir.path, model, { tokenizerFiles: {}, dtype });
    await expect(write("f16")).rejects.toThrow("model.norm.weight has the value -70000");
    await write("bf16");
  });

  it("goes with a model that gets more tokens, adapters or fewer heads", async () => {
    await using dir = await tempDir();
    await saveModel(dir.path, tinyModel(config), { tokenizerFiles: {}, dtype: "f16" });
    const model = await loadModel(dir.path, { heads: ["lm", "value"] });
    const adapted = addLora(model, { rank: 1, alpha: 1, targets: ["q"], seed: 1 });
    expect([withHeadsOnly(model, ["lm"]).dtype, adapted.dtype]).toEqual(["f16", "f16"]);
    expect(growVocabulary(await loadModel(dir.path), 30).dtype).toBe("f16");
  });
});

describe("model directories that cannot be right", () => {
  it("are refused by the name of the tensor when values are not finite", async () => {
    await using dir = await tempDir();
    const model = tinyModel(tinyConfig("llama"));
    const tensors = new Map(model.tensors());
    const name = "model.norm.weight";
    const { shape, dtype } = tensors.get(name)!;
    tensors.set(name, { dtype, shape, data: new Float32Array(shape[0]!).fill(NaN) });
    const { config, heads, dtype: stored } = model;
    const contents = { config, heads, dtype: stored, tensors: () => tensors };
    await saveModel(dir.path, contents, { tokenizerFiles: {} });
    await expect(loadModel(dir.path)).rejects.toThrow(`values of ${name} are not finite`);
    model.dispose();
  });

  it("are refused at once when config.json asks for more than there is", () => {
    const hf = toHfConfig(tinyConfig("llama"));
    for (const field of ["num_hidden_layers", "vocab_size", "intermediate_size"]) {
      expect(() => fromHfConfig({ ...hf, [field]: 2_000_000_000 })).toThrow(
        "must be an integer from 1",
      );
    }
  });
});

/** All values, in the order of names. */
const valuesOf = (tensors: TensorMap) =>
  [...sorted(tensors).values()].flatMap(({ data }) => Array.from(data as Float32Array));

function sorted(tensors: TensorMap) {
  return new Map([...tensors].sort(([a], [b]) => (a < b ? -1 : 1)));
}
