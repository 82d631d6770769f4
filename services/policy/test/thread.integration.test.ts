import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { StagecraftError } from "@stagecraft/core";
import { saveModel, type Model } from "@stagecraft/model";
import { createCancelling } from "@stagecraft/rpc";
import { initEngine } from "@stagecraft/tensor";
import { tempDir } from "@stagecraft/testing";
import type { Tokenizer } from "@stagecraft/tokenizer";
import { fetchInThread, openWeightStore } from "@stagecraft/weights";
import { beforeAll, describe, expect, it } from "vitest";
import {
  createThreadedEngine,
  type ThreadedEngine,
  type ThreadedEngineOptions,
} from "../src/thread-client.js";
import type { TokenChunk } from "../src/engine.js";
import {
  otherWeights,
  readAll,
  request,
  tinyEngine,
  tinyModel,
  tinyTokenizer,
} from "./fixtures.js";

const never = createCancelling();
const TEXTS = ["the cat", "a", "once upon a time", "dog", "to be or", "x y z"];
const threadFile = fileURLToPath(new URL("../dist/thread.js", import.meta.url));
const built = existsSync(threadFile);
let tokenizer: Tokenizer;

beforeAll(async () => {
  await initEngine({ engine: "cpu" });
  tokenizer = await tinyTokenizer();
});

async function withEngine(
  body: (engine: ThreadedEngine, rig: { model: Model; dir: string }) => Promise<void>,
  change: Partial<ThreadedEngineOptions> = {},
): Promise<void> {
  await using directory = await tempDir();
  const model = tinyModel(tokenizer);
  const modelDir = `${directory.path}/model`;
  await saveModel(modelDir, model, { tokenizerFiles: tokenizer.files() });
  const engine = await createThreadedEngine({
    name: "tiny",
    modelDir,
    engine: { engine: "cpu", threads: 1 },
    logLevel: "silent",
    maxActive: 4,
    maxQueued: 8,
    maxPrefillTokens: 64,
    startWaitMs: 0,
    maxScoreTokens: 256,
    streamIntervalMs: 0,
    ...change,
  });
  try {
    await body(engine, { model, dir: directory.path });
  } finally {
    await engine.close();
  }
}

describe.skipIf(!built)(
  `createThreadedEngine()${built ? "" : ": not built (npm run build)"}`,
  () => {
    it("answers what the engine of this thread answers, to the bit", async () => {
      await withEngine(async (engine, { model }) => {
        const requests = TEXTS.map((text, seed) => {
          return { ...request(tokenizer, text, { seed }), ...(seed === 2 ? { numTop: 3 } : {}) };
        });
        const local = tinyEngine(tokenizer, model);
        const expected = await Promise.all(local.submit(requests, never).map(readAll));
        expect(await Promise.all(engine.submit(requests, never).map(readAll))).toEqual(expected);
        expect(engine.status()).toMatchObject({ numActive: 0, numQueued: 0 });
        expect(engine.status().numTokensGenerated).toBe(expected.flatMap(({ ids }) => ids).length);
        const { tokenizer: own, ...facts } = engine.facts;
        expect(local.facts).toMatchObject(facts);
        expect(own.fingerprint).toBe(tokenizer.fingerprint);
        const sequence = { ids: requests[0]!.promptIds, promptLength: 1 };
        expect(await engine.scoreLogProbs([sequence], 0.7)).toEqual(
          await local.scoreLogProbs([sequence], 0.7),
        );
        expect(await engine.judge(sequence.ids, 3)).toEqual(await local.judge(sequence.ids, 3));
        await local.close();
      });
    });

    it("says what its engine cannot do as asked", async () => {
      const plugin = "/no/such/plugin.so";
      await withEngine(
        async ({ engineNotice }) => {
          expect(engineNotice).toContain(`the plugin ${plugin} is not used`);
        },
        { engine: { engine: "auto", plugin, threads: 1 } },
      );
    });

    it("gives the first token at once and the rest together, where the interval is longer than the answer", async () => {
      await withEngine(
        async (engine) => {
          const wanted = { maxNewTokens: 12, temperature: 3, seed: 3 };
          const lengths = async (chunks: AsyncIterable<TokenChunk>) => {
            const all: number[] = [];
            for await (const { tokenIds } of chunks) all.push(tokenIds.length);
            return all;
          };
          const requests = ["a", "b"].map((text) => request(tokenizer, text, wanted));
          const [one, other] = await Promise.all(engine.submit(requests, never).map(lengths));
          const { numTokensGenerated } = engine.status();
          expect([...one!, ...other!].reduce((sum, length) => sum + length)).toBe(
            numTokensGenerated,
          );
          for (const [first, rest, ...more] of [one!, other!]) {
            expect({ first, more }).toEqual({ first: 1, more: [] });
            expect(rest).toBeGreaterThan(1);
          }
        },
        { streamIntervalMs: 3_600_000 },
      );
    });

    it("never begins an answer that was given up in the turn that asked for it", async () => {
      await withEngine(async (engine) => {
        const caller = createCancelling();
        const [given] = engine.submit([request(tokenizer, "a")], caller);
        caller.cancel(new StagecraftError("cancelled", "gone"));
        await expect(readAll(given!)).rejects.toMatchObject({ code: "cancelled" });
        const [other] = engine.submit([request(tokenizer, "b")], never);
        const { ids } = await readAll(other!);
        expect(engine.status()).toMatchObject({ numTokensGenerated: ids.length, numQueued: 0 });
      });
    });

    it("refuses beyond its queue at once, and frees the places of those who cancel or leave", async () => {
      await withEngine(
        async (engine) => {
          const long = { maxNewTokens: 40, temperature: 3 };
          const many = (count: number) =>
            Array.from({ length: count }, (_, seed) => request(tokenizer, "a", { ...long, seed }));
          const caller = createCancelling();
          const answers = engine.submit(many(4), caller).map(readAll);
          const [left] = engine.submit(many(1), never);
          expect(() => engine.submit(many(1), never)).toThrow("[resource_exhausted]");
          caller.cancel(new StagecraftError("cancelled", "gone"));
          for (const answer of answers) {
            await expect(answer).rejects.toMatchObject({ code: "cancelled" });
          }
          for await (const chunk of left!) {
            expect(chunk.tokenIds.length).toBeGreaterThan(0);
            break;
          }
          expect(engine.status()).toMatchObject({ numActive: 0, numQueued: 0 });
          const [next] = engine.submit([request(tokenizer, "d")], never);
          expect((await readAll(next!)).finishReason).toBeDefined();
        },
        { maxQueued: 1 },
      );
    });

    it("takes weights from the store without copying them between threads", async () => {
      await withEngine(async (engine, { model, dir }) => {
        const weightsDir = `${dir}/weights`;
        const tensors = otherWeights(model);
        const directory = openWeightStore(weightsDir);
        const { sha256 } = await directory.publish(5, tensors, { step: 9 });
        const [waiting] = engine.submit([request(tokenizer, "a", { minWeightVersion: 5 })], never);
        const answer = readAll(waiting!);
        await using store = fetchInThread(directory, { weightsDir });
        const fetched = await store.fetch(5, sha256);
        expect(fetched).toEqual(tensors);
        await engine.loadWeights({ version: 5, sha256, step: 9 }, fetched);
        expect([...fetched.values()].every(({ data }) => data.length === 0)).toBe(true);
        expect(engine.status().weights).toEqual({ version: 5, sha256, step: 9 });
        expect(engine.weightsOf(5)?.sha256).toBe(sha256);
        const { versions, ...rest } = await answer;
        expect(new Set(versions)).toEqual(new Set([5]));
        model.load(tensors);
        const local = tinyEngine(tokenizer, model);
        const [expected] = local.submit([request(tokenizer, "a")], never);
        const { versions: _, ...same } = await readAll(expected!);
        expect(rest).toEqual(same);
        await local.close();
        const misfit = engine.loadWeights({ version: 6, sha256: "", step: 1 }, new Map());
        await expect(misfit).rejects.toMatchObject({ code: "failed_precondition" });
        await expect(store.fetch(9)).rejects.toMatchObject({ code: "not_found" });
      });
    });

    it("fails what is in flight when it ends, and everything after", async () => {
      await withEngine(async (engine) => {
        const [chunks] = engine.submit([request(tokenizer, "a", { maxNewTokens: 40 })], never);
        const answer = readAll(chunks!);
        const failed = expect(answer).rejects.toMatchObject({ code: "unavailable" });
        await engine.close();
        await failed;
        const [late] = engine.submit([request(tokenizer, "a")], never);
        await expect(readAll(late!)).rejects.toMatchObject({ code: "unavailable" });
      });
    });

    it("says why it cannot start", async () => {
      await using directory = await tempDir();
      const modelDir = `${directory.path}/none`;
      await expect(
        createThreadedEngine({
          ...{ name: "tiny", modelDir, engine: { engine: "cpu", threads: 1 }, logLevel: "silent" },
          ...{ maxActive: 1, maxQueued: 1, maxPrefillTokens: 1, startWaitMs: 0, maxScoreTokens: 1 },
          streamIntervalMs: 0,
        }),
      ).rejects.toThrow(/none/);
    });
  },
);
