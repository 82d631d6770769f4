import {
  finishReasonOf,
  parseGeneration,
  policy,
  toConversation,
  toSampling,
  toTokens,
} from "@stagecraft/contracts";
import { generate, type Model } from "@stagecraft/model";
import { createRpcClient, createRpcServer, type RpcClient } from "@stagecraft/rpc";
import { initEngine } from "@stagecraft/tensor";
import { tempDir, waitFor } from "@stagecraft/testing";
import { renderChat, type Tokenizer } from "@stagecraft/tokenizer";
import { followWeights, openWeightStore, type WeightStore } from "@stagecraft/weights";
import { beforeAll, describe, expect, it } from "vitest";
import { createPolicyService } from "../src/service.js";
import type { LocalEngineOptions } from "../src/local-engine.js";
import { otherWeights, request, tinyEngine, tinyModel, tinyTokenizer } from "./fixtures.js";

type Client = RpcClient<typeof policy.PolicyServiceService>;
interface Rig {
  client: Client;
  model: Model;
  store: WeightStore;
}

let tokenizer: Tokenizer;
beforeAll(async () => {
  await initEngine({ engine: "cpu" });
  tokenizer = await tinyTokenizer();
});

async function withServer(
  body: (rig: Rig) => Promise<void>,
  options: Partial<LocalEngineOptions> = {},
): Promise<void> {
  await using directory = await tempDir();
  const store = openWeightStore(directory.path);
  const model = tinyModel(tokenizer);
  const engine = tinyEngine(tokenizer, model, options);
  const announcements = (async function* () {})();
  const follower = followWeights({ engine, store, announcements });
  const service = createPolicyService({ engine, follower, maxItemsPerRequest: 16 });
  await using server = createRpcServer();
  service.register(server);
  const { port } = await server.start();
  await using client = createRpcClient(policy.PolicyServiceClient, `127.0.0.1:${port}`);
  await body({ client, model, store });
  await service.close();
}

function input(
  text: string,
  { minWeightVersion = 0, ...change }: Parameters<typeof request>[2] = {},
): policy.GenerationInput {
  const { promptIds, sampling } = request(tokenizer, text, change);
  const prompt = { $case: "tokens" as const, value: toTokens(promptIds) };
  return { prompt, sampling: toSampling(sampling), minWeightVersion };
}

async function collect(stream: AsyncIterable<policy.GenerateResponse>) {
  const responses: policy.GenerateResponse[] = [];
  for await (const response of stream) responses.push(response);
  return {
    ids: responses.flatMap((r) => r.tokenIds),
    logProbs: Float32Array.from(responses.flatMap((r) => r.logProbs)),
    text: responses.map((r) => r.text).join(""),
    last: responses.at(-1)!,
  };
}

describe("PolicyService over gRPC", () => {
  it("refuses a prompt that is too long by its bytes, without encoding it", async () => {
    await withServer(async ({ client }) => {
      const value = toConversation([{ role: "user", content: "a".repeat(3_000_000) }]);
      const prompt = { $case: "conversation" as const, value };
      const sampling = toSampling({ maxNewTokens: 4, seed: 1 });
      const long = { prompt, sampling, minWeightVersion: 0 };
      const call = client.generateBatch({ model: "", inputs: [long], requestId: "" });
      await expect(call).rejects.toThrow("inputs[0] has 3000000 bytes of text");
    });
  });

  it("streams exactly what direct generation gives for the same seed", async () => {
    await withServer(async ({ client, model }) => {
      const asked = request(tokenizer, "the cat", { seed: 11, temperature: 0.7 });
      const [direct] = await generate(model, [asked.promptIds], [asked.sampling], { tokenizer });
      const streamed = await collect(
        client.generate({
          model: "",
          requestId: "r1",
          input: input("the cat", { seed: 11, temperature: 0.7 }),
        }),
      );
      expect(streamed.ids).toEqual([...direct!.ids]);
      expect(streamed.logProbs).toEqual(direct!.logProbs);
      expect(streamed.text).toBe(direct!.text);
      expect(streamed.last).toMatchObject({
        finishReason: finishReasonOf(direct!.finishReason),
        numPromptTokens: asked.promptIds.length,
        weights: [{ version: 0 }],
      });
    });
  });

  it("answers a batch in the order of its inputs, each as it would be alone", async () => {
    await withServer(async ({ client }) => {
      const inputs = ["a", "bb", "ccc", "dddd", "e"].map((text, seed) => input(text, { seed }));
      const batch = await client.generateBatch({ model: "tiny", requestId: "", inputs });
      const generations = batch.generations.map((g, i) => parseGeneration(g, `generations[${i}]`));
      expect(generations.map((g) => g.promptIds.length)).toEqual([2, 3, 4, 5, 2]);
      for (const [i, one] of inputs.entries()) {
        const alone = await collect(client.generate({ model: "", requestId: "", input: one }));
        expect(alone.ids).toEqual([...generations[i]!.tokenIds]);
        expect(alone.logProbs).toEqual(generations[i]!.logProbs);
        expect(alone.text).toBe(generations[i]!.text);
      }
    });
  });

  it("renders conversations with the generation prompt", async () => {
    await withServer(async ({ client }) => {
      const messages = [{ role: "user" as const, content: "hi." }];
      const prompt = { $case: "conversation" as const, value: toConversation(messages) };
      const inputs = [{ ...input("x"), prompt }];
      const { generations } = await client.generateBatch({ model: "", requestId: "", inputs });
      const { ids } = renderChat(tokenizer, messages, { addGenerationPrompt: true });
      expect(generations[0]!.promptIds).toEqual([...ids]);
    });
  });

  it("frees the places of a caller that cancels, and of one that goes away", async () => {
    await withServer(async ({ client }) => {
      const long = input("a", { maxNewTokens: 46, temperature: 3 });
      for (let i = 0; i < 4; i++) {
        for await (const { tokenIds } of client.generate({
          model: "",
          requestId: "",
          input: long,
        })) {
          expect(tokenIds.length).toBeGreaterThan(0);
          break;
        }
      }
      const controller = new AbortController();
      const batch = client.generateBatch(
        { model: "", requestId: "", inputs: [long, long, long] },
        { signal: controller.signal },
      );
      await waitFor(async () => (await client.getStatus({})).numActive >= 3);
      controller.abort();
      await expect(batch).rejects.toMatchObject({ code: "cancelled" });
      await waitFor(async () => {
        const { numActive, numQueued } = await client.getStatus({});
        return numActive + numQueued === 0;
      });
    });
  });

  it("answers RESOURCE_EXHAUSTED beyond its queue and serves on", async () => {
    await withServer(
      async ({ client }) => {
        const inputs = Array.from({ length: 6 }, (_, seed) => input("a", { seed }));
        const tooMany = client.generateBatch({ model: "", requestId: "", inputs });
        await expect(tooMany).rejects.toMatchObject({ code: "resource_exhausted" });
        const fits = { model: "", requestId: "", inputs: inputs.slice(0, 5) };
        expect((await client.generateBatch(fits)).generations).toHaveLength(5);
      },
      { maxActive: 4, maxQueued: 1 },
    );
  });

  it("loads weights from the store, checks their hash, and serves whoever waits for them", async () => {
    await withServer(async ({ client, model, store }) => {
      const { sha256 } = await store.publish(3, otherWeights(model), { step: 30 });
      const wrong = { version: 3, sha256: "e".repeat(64), step: 0n, sizeBytes: 0n };
      const refused = client.loadWeights({ weights: wrong, allowRollback: false });
      await expect(refused).rejects.toMatchObject({ code: "aborted" });
      const missing = { ...wrong, version: 9, sha256: "" };
      const unknown = client.loadWeights({ weights: missing, allowRollback: false });
      await expect(unknown).rejects.toMatchObject({ code: "not_found" });
      // Nobody announced it: the request that needs it makes the server look into the store.
      const inputs = [input("a", { minWeightVersion: 3 })];
      const { generations } = await client.generateBatch({ model: "", requestId: "", inputs });
      expect(generations[0]!.weights).toMatchObject([{ version: 3, sha256, step: 30n }]);
      expect(new Set(generations[0]!.weightVersions)).toEqual(new Set([3]));
      const { info } = await client.getModelInfo({ model: "" });
      expect(info).toMatchObject({ name: "tiny", version: `v3-${sha256.slice(0, 12)}` });
      const back = { ...wrong, version: 2, sha256: "" };
      const older = client.loadWeights({ weights: back, allowRollback: false });
      await expect(older).rejects.toMatchObject({ code: "failed_precondition" });
    });
  });

  it("scores given tokens as it scored them when it drew them", async () => {
    await withServer(async ({ client }) => {
      const inputs = [input("the cat", { temperature: 0.7 })];
      const { generations } = await client.generateBatch({ model: "", requestId: "", inputs });
      const { promptIds, tokenIds, logProbs } = generations[0]!;
      const scored = await client.scoreLogProbs({
        model: "",
        sequences: [{ ids: [...promptIds, ...tokenIds] }],
        promptLengths: [promptIds.length],
        temperature: 0.7,
      });
      scored.sequences[0]!.logProbs.forEach((logProb, i) => {
        expect(Math.abs(logProb - logProbs[i]!)).toBeLessThan(1e-4);
      });
    });
  });

  it("continues plain text behind the token that begins a document", async () => {
    await withServer(async ({ client }) => {
      const prompt = { $case: "text" as const, value: "the cat" };
      const asText = { ...input("x", { seed: 3 }), prompt };
      const [text, ids] = await Promise.all([
        collect(client.generate({ model: "", requestId: "", input: asText })),
        collect(
          client.generate({ model: "", requestId: "", input: input("the cat", { seed: 3 }) }),
        ),
      ]);
      expect(text.ids).toEqual(ids.ids);
      expect(text.last.numPromptTokens).toBe(8);
    });
  });

  it("judges the prompt first, with what each token stands for and the likeliest", async () => {
    await withServer(async ({ client, model }) => {
      const asked = {
        ...input("cat", { maxNewTokens: 2, seed: 3 }),
        echo: true,
        numTopLogProbs: 2,
      };
      const responses: policy.GenerateResponse[] = [];
      for await (const response of client.generate({ model: "", requestId: "", input: asked })) {
        responses.push(response);
      }
      const { prompt } = responses.shift()!;
      expect(prompt!.details.map(({ bytes }) => bytes.toString()).slice(1)).toEqual([..."cat"]);
      expect(prompt!.details[0]).toMatchObject({ special: true, top: [] });
      const { sequences } = await client.scoreLogProbs({
        model: "",
        sequences: [{ ids: prompt!.tokenIds }],
        promptLengths: [1],
      });
      prompt!.logProbs.slice(1).forEach((logProb, i) => {
        expect(Math.abs(logProb - sequences[0]!.logProbs[i]!)).toBeLessThan(1e-5);
        const { top } = prompt!.details[i + 1]!;
        expect(top).toHaveLength(2);
        expect(top[0]!.logProb).toBeGreaterThanOrEqual(top[1]!.logProb);
        expect(top[0]!.logProb).toBeGreaterThanOrEqual(logProb);
      });
      for (const { details, tokenIds } of responses) {
        expect(details).toHaveLength(tokenIds.length);
        for (const { top } of details) expect(top).toHaveLength(2);
      }
      expect(model.config.vocabSize).toBeGreaterThan(2);
    });
  });

  it("judges a prompt alone when no answer is asked for", async () => {
    await withServer(async ({ client }) => {
      const asked = { ...input("cat", { maxNewTokens: 0 }), echo: true };
      const { last, ids } = await collect(
        client.generate({ model: "", requestId: "", input: asked }),
      );
      expect(ids).toEqual([]);
      expect(last.prompt!.logProbs).toHaveLength(4);
      expect(last.prompt!.details).toEqual([]);
      expect(last.finishReason).toBe(finishReasonOf("length"));
    });
  });

  it("refuses in a batch what only a stream has a place for", async () => {
    await withServer(async ({ client }) => {
      for (const change of [{ echo: true }, { numTopLogProbs: 1 }]) {
        const inputs = [{ ...input("cat"), ...change }];
        const call = client.generateBatch({ model: "", requestId: "", inputs });
        await expect(call).rejects.toThrow(/inputs\[0\]\.(echo|num_top_log_probs)/);
      }
    });
  });

  const bad: [string, Partial<policy.GenerationInput>, RegExp][] = [
    ["no prompt", { prompt: undefined }, /input\.prompt/],
    ["a token out of range", { prompt: { $case: "tokens", value: { ids: [999] } } }, /ids\[0\]/],
    ["a prompt as long as the context", { prompt: longPrompt() }, /48/],
    ["no sampling", { sampling: undefined }, /input\.sampling/],
  ];
  for (const [name, change, message] of bad) {
    it(`refuses ${name} with the field and the reason`, async () => {
      await withServer(async ({ client }) => {
        const stream = client.generate({
          model: "",
          requestId: "",
          input: { ...input("a"), ...change },
        });
        const outcome = collect(stream);
        await expect(outcome).rejects.toMatchObject({ code: "invalid_argument" });
        await expect(outcome).rejects.toThrow(message);
      });
    });
  }

  it("refuses a model it does not serve", async () => {
    await withServer(async ({ client }) => {
      const other = client.getModelInfo({ model: "other" });
      await expect(other).rejects.toMatchObject({ code: "not_found" });
    });
  });
});

function longPrompt(): policy.GenerationInput["prompt"] {
  return { $case: "tokens", value: { ids: new Array<number>(48).fill(7) } };
}
