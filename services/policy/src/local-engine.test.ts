import { sha256OfTensors } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";
import { generate, type Model } from "@stagecraft/model";
import { createCancelling } from "@stagecraft/rpc";
import { initEngine, tf } from "@stagecraft/tensor";
import { waitFor } from "@stagecraft/testing";
import type { Tokenizer } from "@stagecraft/tokenizer";
import { beforeAll, describe, expect, it } from "vitest";
import {
  otherWeights,
  readAll,
  request,
  tinyEngine,
  tinyModel,
  tinyTokenizer,
} from "../test/fixtures.js";

const never = createCancelling();
const TEXTS = ["the cat", "a", "once upon a time", "dog", "to be or", "x y z", "hello", "q"];
let tokenizer: Tokenizer;

beforeAll(async () => {
  await initEngine({ engine: "cpu" });
  tokenizer = await tinyTokenizer();
});

async function direct(model: Model, texts: readonly string[], temperature = 1) {
  const requests = texts.map((text, seed) => request(tokenizer, text, { seed, temperature }));
  const answers = await generate(
    model,
    requests.map((r) => r.promptIds),
    requests.map((r) => r.sampling),
    { tokenizer },
  );
  return answers.map(({ ids, logProbs, finishReason }) => ({
    ids: [...ids],
    logProbs: [...logProbs],
    finishReason,
  }));
}

describe("createLocalEngine()", () => {
  it("answers many callers at once exactly as each would be answered alone", async () => {
    const model = tinyModel(tokenizer);
    const expected = await direct(model, TEXTS);
    const engine = tinyEngine(tokenizer, model);
    const answers = TEXTS.map((text, seed) => {
      const [chunks] = engine.submit([request(tokenizer, text, { seed })], never);
      return readAll(chunks!);
    });
    expect(await Promise.all(answers)).toMatchObject(expected);
    const { numSteps, numTokensGenerated, ...rest } = engine.status();
    expect(rest).toMatchObject({ numActive: 0, numQueued: 0 });
    expect(numTokensGenerated).toBe(expected.flatMap(({ ids }) => ids).length);
    expect(numSteps).toBeLessThan(numTokensGenerated / 2); // steps were shared
    await engine.close();
  });

  it("lets a request whose logits are no numbers fail alone", async () => {
    const damage = (model: Model, id: number) => {
      const tensors = model.tensors();
      const { data, shape } = tensors.get("model.embed_tokens.weight")!;
      (data as Float32Array).fill(NaN, id * shape[1]!, (id + 1) * shape[1]!);
      model.load(tensors);
      return model;
    };
    const texts = TEXTS.slice(0, 4);
    const expected = await direct(tinyModel(tokenizer), texts, 0);
    const ids = (letter: string) => [...tokenizer.encode(letter)];
    const read = new Set([...expected.flatMap((a) => a.ids), ...texts.flatMap(ids)]);
    const letter = [..."zyxwvutsrqponmlkjihgfedcba"].find((l) => !read.has(ids(l)[0]!))!;
    const engine = tinyEngine(tokenizer, damage(tinyModel(tokenizer), ids(letter)[0]!));
    const [failing] = engine.submit([request(tokenizer, letter)], never).map(readAll);
    const answers = texts.map((text, seed) => {
      const [chunks] = engine.submit([request(tokenizer, text, { seed, temperature: 0 })], never);
      return readAll(chunks!);
    });
    await expect(failing).rejects.toMatchObject({ code: "internal" });
    expect(await Promise.all(answers)).toMatchObject(expected);
    await engine.close();
  });

  it("refuses what does not fit into the queue, all or nothing", async () => {
    const engine = tinyEngine(tokenizer, tinyModel(tokenizer), { maxQueued: 1 });
    const many = (count: number) => Array.from({ length: count }, () => request(tokenizer, "a"));
    const admitted = engine.submit(many(4), never).map(readAll);
    expect(() => engine.submit(many(2), never)).toThrow("[resource_exhausted]");
    admitted.push(...engine.submit(many(1), never).map(readAll));
    await Promise.all(admitted);
    await engine.close();
  });

  it("frees the places of a cancelled caller at once, and those of a reader that left", async () => {
    const engine = tinyEngine(tokenizer, tinyModel(tokenizer));
    const long = { maxNewTokens: 40, temperature: 1 };
    const caller = createCancelling();
    const cancelled = engine
      .submit([request(tokenizer, "a", long), request(tokenizer, "b", long)], caller)
      .map(readAll);
    const [left] = engine.submit([request(tokenizer, "c", long)], never);
    for await (const chunk of left!) {
      expect(chunk.tokenIds.length).toBeGreaterThan(0);
      break;
    }
    caller.cancel(new StagecraftError("cancelled", "gone"));
    for (const answer of cancelled)
      await expect(answer).rejects.toMatchObject({ code: "cancelled" });
    await waitFor(() => engine.status().numActive === 0);
    const [next] = engine.submit([request(tokenizer, "d")], never);
    expect((await readAll(next!)).finishReason).toBeDefined();
    await engine.close();
  });

  it("leaves nothing behind with a caller who outlives the answers", async () => {
    const engine = tinyEngine(tokenizer, tinyModel(tokenizer), { maxQueued: 1 });
    const watching = new Set<unknown>();
    const caller = {
      ...{ reason: undefined, throwIfCancelled: () => undefined },
      onCancelled(listener: unknown) {
        watching.add(listener);
        return () => void watching.delete(listener);
      },
    };
    const many = (count: number) => Array.from({ length: count }, () => request(tokenizer, "a"));
    const read = engine.submit(many(2), caller).map(readAll);
    const [left] = engine.submit(many(1), caller);
    expect(watching.size).toBe(2);
    expect(() => engine.submit(many(9), caller)).toThrow("[resource_exhausted]");
    for await (const chunk of left!) if (chunk.tokenIds.length > 0) break;
    await Promise.all(read);
    await waitFor(() => watching.size === 0);
    await engine.close();
  });

  it("swaps weights between steps: every token carries the version that drew it", async () => {
    const model = tinyModel(tokenizer);
    const tensors = otherWeights(model);
    const engine = tinyEngine(tokenizer, model);
    const sha256 = sha256OfTensors(tensors);
    const asked = request(tokenizer, "once", { maxNewTokens: 30, temperature: 2 });
    const [chunks] = engine.submit([asked], never);
    const seen: { id: number; version: number; logProb: number }[] = [];
    let swapping: Promise<void> | undefined;
    for await (const chunk of chunks!) {
      chunk.tokenIds.forEach((id, i) => {
        seen.push({ id, version: chunk.weightVersions[i]!, logProb: chunk.logProbs[i]! });
      });
      if (seen.length >= 3)
        swapping ??= engine.loadWeights({ version: 5, sha256, step: 9 }, tensors);
    }
    await swapping;
    const versions = seen.map(({ version }) => version);
    expect(new Set(versions)).toEqual(new Set([0, 5]));
    expect([...versions].sort()).toEqual(versions);
    expect(engine.weightsOf(5)).toEqual({ version: 5, sha256, step: 9 });
    // What the new weights drew is judged by the new weights as if they had read all of it.
    const ids = Int32Array.from([...asked.promptIds, ...seen.map(({ id }) => id)]);
    const first = versions.indexOf(5);
    const promptLength = asked.promptIds.length + first;
    const { logProbs, weights } = await engine.scoreLogProbs([{ ids, promptLength }], 2);
    expect(weights.version).toBe(5);
    seen.slice(first).forEach(({ logProb }, i) => {
      expect(Math.abs(logProb - logProbs[0]![i]!)).toBeLessThan(1e-4);
    });
    await engine.close();
  });

  it("makes a request wait for the weights it wants, and nobody else", async () => {
    const model = tinyModel(tokenizer);
    const tensors = otherWeights(model);
    const engine = tinyEngine(tokenizer, model);
    const [waiting] = engine.submit([request(tokenizer, "a", { minWeightVersion: 2 })], never);
    const answer = readAll(waiting!);
    const [other] = engine.submit([request(tokenizer, "b")], never);
    expect((await readAll(other!)).versions[0]).toBe(0);
    expect(engine.status()).toMatchObject({ numActive: 0, numQueued: 1 });
    await engine.loadWeights({ version: 2, sha256: "", step: 1 }, tensors);
    expect(new Set((await answer).versions)).toEqual(new Set([2]));
    await engine.close();
  });

  it("keeps serving after weights that do not fit", async () => {
    const engine = tinyEngine(tokenizer, tinyModel(tokenizer));
    const misfit = engine.loadWeights({ version: 1, sha256: "", step: 1 }, new Map());
    await expect(misfit).rejects.toMatchObject({ code: "failed_precondition" });
    const [chunks] = engine.submit([request(tokenizer, "a")], never);
    expect((await readAll(chunks!)).versions[0]).toBe(0);
    await engine.close();
  });

  it("scores the same whatever the batch, and what it sampled as it sampled it", async () => {
    const model = tinyModel(tokenizer);
    const [sampled] = await direct(model, ["the cat"], 0.7);
    const engine = tinyEngine(tokenizer, model);
    const prompt = request(tokenizer, "the cat").promptIds;
    const sequence = {
      ids: Int32Array.from([...prompt, ...sampled!.ids]),
      promptLength: prompt.length,
    };
    const others = TEXTS.map((text) => ({
      ids: request(tokenizer, text).promptIds,
      promptLength: 1,
    }));
    const alone = await engine.scoreLogProbs([sequence], 0.7);
    const together = await engine.scoreLogProbs([...others, sequence], 0.7);
    expect(together.logProbs.at(-1)).toEqual(alone.logProbs[0]);
    alone.logProbs[0]!.forEach((logProb, i) => {
      expect(Math.abs(logProb - sampled!.logProbs[i]!)).toBeLessThan(1e-4);
    });
    await engine.close();
  });

  it("lets the event loop turn between steps and leaves no tensor behind", async () => {
    const before = tf.memory().numTensors;
    const engine = tinyEngine(tokenizer, tinyModel(tokenizer));
    let turns = 0;
    let done = false;
    const count = () => {
      turns++;
      if (!done) setImmediate(count);
    };
    setImmediate(count);
    const [chunks] = engine.submit(
      [request(tokenizer, "a", { maxNewTokens: 40, temperature: 3 })],
      never,
    );
    const { ids } = await readAll(chunks!);
    done = true;
    expect(turns).toBeGreaterThanOrEqual(ids.length);
    await engine.close();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("computes nothing for scores that nobody waits for, and lets weights go first", async () => {
    const model = tinyModel(tokenizer);
    const engine = tinyEngine(tokenizer, model, { maxScoreTokens: 8 });
    const sequence = { ids: Int32Array.from([1, 2, 3, 4, 5, 6]), promptLength: 1 };
    const many = Array.from({ length: 6 }, () => sequence);
    const original = model.logProbs.bind(model);
    let numPasses = 0;
    model.logProbs = (...args) => {
      numPasses++;
      return original(...args);
    };
    const controller = new AbortController();
    const running = engine.scoreLogProbs(many, 1, controller.signal);
    const waiting = engine.scoreLogProbs(many, 1, controller.signal);
    const honest = engine.scoreLogProbs([sequence], 1);
    const cancelled = [running, waiting].map((call) =>
      expect(call).rejects.toMatchObject({ code: "cancelled" }),
    );
    controller.abort();
    await Promise.all([...cancelled, honest]);
    expect(numPasses).toBe(2); // one that had begun, and the honest one's
    const long = engine.scoreLogProbs(many, 1);
    const weights = { version: 7, sha256: "", step: 0 };
    await engine.loadWeights(weights, otherWeights(model));
    expect(numPasses).toBeLessThan(2 + many.length);
    expect((await long).weights.version).toBe(7);
    await engine.close();
  });
});
