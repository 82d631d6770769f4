import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { initEngine, tf } from "@stagecraft/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { allowBatchRounding } from "../../test/batch-rounding.js";
import { letters, textOf } from "../../test/letters.js";
import { maxDifference, randomIds, tinyConfig, tinyModel } from "../../test/tiny.js";
import { loadModel } from "../model-files.js";
import type { Model } from "../model.js";
import { generate, type GeneratedSequence } from "./generate.js";

beforeAll(() => initEngine({ engine: "auto" }));
beforeAll(allowBatchRounding);

const config = tinyConfig("llama");
const prompts = [3, 1, 7, 4, 2].map((length, i) => randomIds(23, length, i + 20));

/** Log-probs of an answer by the training path. */
function trainerLogProbs(
  model: Model,
  prompt: Int32Array,
  { answer, temperature }: { answer: GeneratedSequence; temperature: number },
): Float32Array {
  const ids = Int32Array.of(...prompt, ...answer.ids);
  const targets = new Int32Array(ids.length).fill(-1);
  targets.set(answer.ids, prompt.length - 1);
  const { logProbs, entropy } = model.logProbs(
    { ids, targets, batchSize: 1, length: ids.length },
    { temperature },
  );
  const values = Float32Array.from(logProbs.dataSync());
  tf.dispose([logProbs, entropy]);
  return values.slice(prompt.length - 1, prompt.length - 1 + answer.ids.length);
}

describe("generate()", () => {
  it("gives the same answers for a seed whatever the batch, and others for another seed", async () => {
    const model = tinyModel(config);
    const run = (batchSize: number, seed = 1) =>
      generate(model, prompts, { maxNewTokens: 12, seed }, { batchSize, endIds: [0] });
    const all = await run(5);
    expect(await run(2)).toEqual(all);
    expect(await run(1)).toEqual(all);
    expect(await run(5, 2)).not.toEqual(all);
    const twins = await generate(model, [prompts[0]!, prompts[0]!], { maxNewTokens: 12, seed: 1 });
    expect(twins[0]!.ids).not.toEqual(twins[1]!.ids);
  });

  it("samples with the log-probs that the trainer computes", async () => {
    for (const architecture of ["llama", "gpt2"] as const) {
      const model = tinyModel(tinyConfig(architecture));
      for (const temperature of [0.7, 1]) {
        const params = { temperature, maxNewTokens: 20, topK: 5 };
        const answers = await generate(model, prompts, params, { batchSize: 3, endIds: [0] });
        answers.forEach((answer, i) => {
          const expected = trainerLogProbs(model, prompts[i]!, { answer, temperature });
          expect(maxDifference(answer.logProbs, expected)).toBeLessThan(1e-4);
        });
      }
    }
  });

  it("continues greedily as transformers does", async () => {
    for (const name of ["llama-gqa", "llama-tied-bias", "gpt2"]) {
      const directory = join(import.meta.dirname, "../../test/fixtures", name);
      const file = await readFile(join(directory, "expected.json"), "utf8");
      const { ids, greedy } = JSON.parse(file) as { ids: number[][]; greedy: number[] };
      const model = await loadModel(directory);
      const params = { temperature: 0, maxNewTokens: greedy.length };
      const [answer] = await generate(model, [Int32Array.from(ids[0]!)], params);
      expect([...answer!.ids], name).toEqual(greedy);
    }
  });

  it("ends at the end token, which it keeps, and at the limits", async () => {
    const model = tinyModel(config);
    const params = { maxNewTokens: 12, seed: 4 };
    const [free] = await generate(model, [prompts[0]!], params);
    expect(free!.finishReason).toBe("length");
    expect(free!.ids).toHaveLength(12);
    const eosId = free!.ids[5]!;
    const cut = free!.ids.indexOf(eosId) + 1;
    const [ended] = await generate(model, [prompts[0]!], params, { endIds: [eosId] });
    expect(ended!.finishReason).toBe("eos");
    expect(ended!.ids).toEqual(free!.ids.slice(0, cut));
    const [long] = await generate(model, [prompts[0]!], { maxNewTokens: 500 });
    expect(long!.finishReason).toBe("length");
    expect(long!.ids).toHaveLength(32 - prompts[0]!.length);
  });

  it("ends at whichever end token comes first, when there are several", async () => {
    const model = tinyModel(config);
    const params = { maxNewTokens: 12, seed: 4 };
    const [free] = await generate(model, [prompts[0]!], params);
    const [usual, other] = [free!.ids[9]!, free!.ids[3]!];
    const cut = free!.ids.findIndex((id) => id === usual || id === other) + 1;
    const tokenizer = { ...letters, endIds: [usual, other] };
    const [ended] = await generate(model, [prompts[0]!], params, { tokenizer });
    expect(ended!.finishReason).toBe("eos");
    expect(ended!.ids).toEqual(free!.ids.slice(0, cut));
  });

  it("never draws an id that stands for no token, whatever the sampling", async () => {
    const model = tinyModel(config);
    // Rows beyond the tokenizer's 12 tokens, and a hole.
    const tokenizer = { ...letters, endIds: [], hasToken: (id: number) => id < 12 && id !== 5 };
    for (const params of [{}, { temperature: 0 }, { topK: 3 }, { topP: 0.9, minP: 0.01 }]) {
      const free = await generate(model, prompts, { maxNewTokens: 8, ...params });
      expect(free.some(({ ids }) => ids.some((id) => !tokenizer.hasToken(id)))).toBe(true);
      const answers = await generate(model, prompts, { maxNewTokens: 8, ...params }, { tokenizer });
      for (const { ids } of answers)
        expect([...ids].filter((id) => !tokenizer.hasToken(id))).toEqual([]);
    }
  });

  it("ends at a stop text across tokens and cuts the text before it", async () => {
    const model = tinyModel(config);
    const params = { maxNewTokens: 20, seed: 6 };
    const [free] = await generate(model, [prompts[1]!], params);
    const stop = textOf(free!.ids).slice(4, 7);
    const at = textOf(free!.ids).indexOf(stop);
    const [stopped] = await generate(
      model,
      [prompts[1]!],
      { ...params, stop: ["never!", stop] },
      { tokenizer: { ...letters, endIds: [] } },
    );
    expect(stopped!.finishReason).toBe("stop");
    expect(textOf(stopped!.ids)).toBe(textOf(free!.ids).slice(0, at + 3));
    expect(stopped!.text).toBe(textOf(free!.ids).slice(0, at));
    await expect(generate(model, [prompts[1]!], { stop: ["x"] })).rejects.toThrow(
      "need a tokenizer",
    );
  });

  it("takes parameters for each prompt and reports tokens as they come", async () => {
    const model = tinyModel(config);
    const seen: number[][] = [[], []];
    const answers = await generate(
      model,
      prompts.slice(0, 2),
      [
        { maxNewTokens: 3, seed: 1 },
        { maxNewTokens: 5, seed: 2 },
      ],
      { onToken: (index, { id }) => seen[index]!.push(id) },
    );
    expect(answers.map(({ ids }) => [...ids])).toEqual(seen);
    expect(seen.map(({ length }) => length)).toEqual([3, 5]);
  });

  it("stops on request, refuses bad prompts and leaks nothing", async () => {
    const model = tinyModel(config);
    const { numTensors } = tf.memory();
    const controller = new AbortController();
    const run = generate(
      model,
      prompts,
      {},
      {
        signal: controller.signal,
        onToken: () => controller.abort(),
      },
    );
    await expect(run).rejects.toThrow("[cancelled]");
    await expect(generate(model, [new Int32Array(0)], {})).rejects.toThrow("prompt of 0 tokens");
    await expect(generate(model, [new Int32Array(32)], {})).rejects.toThrow("prompt of 32 tokens");
    await expect(generate(model, [Int32Array.of(23)], {})).rejects.toThrow("prompt token 0 is 23");
    expect(await generate(model, [], {})).toEqual([]);
    expect(tf.memory().numTensors).toBe(numTensors);
  });
});
