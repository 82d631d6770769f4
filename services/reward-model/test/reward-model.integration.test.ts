import { reward, toConversation, toTokens } from "@stagecraft/contracts";
import { createRandom } from "@stagecraft/core";
import { createRpcClient, createRpcServer, type RpcClient } from "@stagecraft/rpc";
import { initEngine } from "@stagecraft/tensor";
import { renderChat, trainCharTokenizer, type Tokenizer } from "@stagecraft/tokenizer";
import { beforeAll, describe, expect, it } from "vitest";
import { createScorer, type Scorer } from "../src/scorer.js";
import { createRewardModelService } from "../src/service.js";
import { tinyEnsemble, tinyModel, tinyScorer, tinyTokenizer } from "./fixtures.js";

type Client = RpcClient<typeof reward.RewardServiceService>;
const { REFUSE, KEEP_END, UNSPECIFIED } = reward.TruncationPolicy;

let tokenizer: Tokenizer;
beforeAll(async () => {
  await initEngine({ engine: "cpu" });
  tokenizer = await tinyTokenizer();
});

async function withServer(
  body: (client: Client) => Promise<void>,
  change: { maxQueued?: number; maxBatch?: number; maxWaitMs?: number; scorers?: Scorer[] } = {},
): Promise<void> {
  const service = createRewardModelService({
    scorers: [tinyScorer(tokenizer, "helpful"), tinyScorer(tokenizer, "harmless", 2)],
    maxBatch: 16,
    maxWaitMs: 2,
    maxQueued: 64,
    maxItemsPerRequest: 64,
    ...change,
  });
  await using server = createRpcServer();
  service.register(server);
  const { port } = await server.start();
  await using client = createRpcClient(reward.RewardServiceClient, `127.0.0.1:${port}`);
  await body(client);
  await service.close();
}

/** Random token sequences of 2 to 30 tokens. */
function randomItems(count: number): reward.ScoreInput[] {
  const random = createRandom("items");
  return Array.from({ length: count }, () => {
    const length = 2 + random.nextInt(29);
    const ids = Array.from({ length }, () => random.nextInt(tokenizer.vocabSize));
    return { input: { $case: "tokens", value: { ids } } };
  });
}

const batchOf = (items: reward.ScoreInput[], name = "", truncation = UNSPECIFIED) => ({
  model: { name, version: "" },
  items,
  truncation,
});

/** The scorer, counting what it is asked to encode. */
function countingScorer(asked: { numChars: number }): Scorer {
  const scorer = tinyScorer(tokenizer, "helpful");
  return {
    ...scorer,
    render(messages) {
      asked.numChars += messages.reduce((sum, { content }) => sum + content.length, 0);
      return scorer.render(messages);
    },
  };
}

describe("RewardService over gRPC", () => {
  it("refuses a text that is too long by its bytes before anything of the request is encoded", async () => {
    const asked = { numChars: 0 };
    await withServer(
      async (client) => {
        const say = (content: string): reward.ScoreInput => {
          const value = toConversation([{ role: "assistant", content }]);
          return { input: { $case: "conversation", value } };
        };
        const long = say("a".repeat(3_000_000));
        for (const truncation of [REFUSE, KEEP_END]) {
          const call = client.scoreBatch(batchOf([say("hello"), long], "", truncation));
          await expect(call).rejects.toThrow("items[1] has 3000000 bytes of text");
        }
        expect(asked.numChars).toBe(0);
        expect((await client.scoreBatch(batchOf([say("hello")]))).scores).toHaveLength(1);
      },
      { scorers: [countingScorer(asked)] },
    );
  });

  it("refuses a text with a special token that has no row, and nobody else of its batch", async () => {
    const numRows = tokenizer.vocabSize - 1;
    const model = tinyModel(tokenizer, 1, numRows);
    const scorer = createScorer({ name: "short", version: "v1", model, tokenizer });
    const rendered = (value: string) => [{ input: { $case: "rendered" as const, value } }];
    await withServer(
      async (client) => {
        const texts = [`hi${tokenizer.tokenOf(numRows)}`, "hello"];
        const [bad, good] = await Promise.allSettled(
          texts.map((text) => client.scoreBatch(batchOf(rendered(text)))),
        );
        expect(bad).toMatchObject({
          reason: {
            code: "invalid_argument",
            message: expect.stringContaining("items[0].rendered has ") as string,
          },
        });
        expect(good).toMatchObject({ value: { scores: [{ numTokens: 6 }] } });
      },
      { scorers: [scorer], maxWaitMs: 50 },
    );
  });

  it("gives the same bits for an item alone, in a batch of 16, and on a stream", async () => {
    await withServer(async (client) => {
      const items = randomItems(16);
      const together = await client.scoreBatch(batchOf(items));
      const values = together.scores.map(({ value }) => value);
      expect(new Set(values).size).toBe(16);
      for (const [i, item] of items.entries()) {
        const alone = await client.scoreBatch(batchOf([item]));
        expect(alone.scores[0]!.value).toBe(values[i]);
      }
      const requests = (async function* () {
        for (const [i, item] of items.entries()) {
          yield { itemId: BigInt(i), model: undefined, item, truncation: REFUSE };
        }
      })();
      const streamed = new Map<number, number>();
      for await (const { itemId, result } of client.scoreStream(requests)) {
        if (result?.$case === "score") streamed.set(Number(itemId), result.value.value);
      }
      expect(items.map((_, i) => streamed.get(i))).toEqual(values);
    });
  });

  it("scores text as it scores the text's tokens, and says which model answered", async () => {
    await withServer(async (client) => {
      const messages = [
        { role: "user" as const, content: "hi." },
        { role: "assistant" as const, content: "hello." },
      ];
      const { ids } = renderChat(tokenizer, messages);
      const text = { $case: "conversation" as const, value: toConversation(messages) };
      const tokens = { $case: "tokens" as const, value: toTokens(ids) };
      const answer = await client.scoreBatch(
        batchOf([{ input: text }, { input: tokens }], "harmless"),
      );
      expect(answer.scores[0]).toEqual(answer.scores[1]);
      expect(answer).toMatchObject({ model: "harmless", modelVersion: "v2" });
      expect(answer.scores[0]).toMatchObject({ numTokens: ids.length, numTruncated: 0 });
    });
  });

  it("refuses input that is too long unless truncation is asked for, and then says so", async () => {
    await withServer(async (client) => {
      const ids = Array.from({ length: 40 }, (_, i) => 6 + (i % 20));
      const long = { input: { $case: "tokens" as const, value: { ids } } };
      for (const policy of [UNSPECIFIED, REFUSE]) {
        const refused = client.scoreBatch(batchOf([long], "", policy));
        await expect(refused).rejects.toMatchObject({ code: "invalid_argument" });
      }
      const cut = {
        input: { $case: "tokens" as const, value: { ids: [ids[0]!, ...ids.slice(9)] } },
      };
      const { scores } = await client.scoreBatch(batchOf([long, cut], "", KEEP_END));
      expect(scores[0]).toEqual({
        value: scores[1]!.value,
        uncertainty: 0,
        numTokens: 32,
        numTruncated: 8,
      });
    });
  });

  it("answers a bad item of a stream with an error and goes on", async () => {
    await withServer(async (client) => {
      const [good] = randomItems(1);
      const items = [good, { input: undefined }, good];
      const requests = (async function* () {
        for (const [i, item] of items.entries()) {
          yield { itemId: BigInt(i), model: undefined, item, truncation: REFUSE };
        }
      })();
      const kinds = new Map<number, string>();
      for await (const { itemId, result } of client.scoreStream(requests)) {
        kinds.set(Number(itemId), result!.$case);
        if (result?.$case === "error") expect(result.value.code).toBe(3);
      }
      expect(kinds).toEqual(
        new Map([
          [0, "score"],
          [1, "error"],
          [2, "score"],
        ]),
      );
    });
  });

  it("answers for an ensemble with the members' mean and their standard deviation", async () => {
    const ensemble = await tinyEnsemble(tokenizer, [1, 2]);
    const ids = Int32Array.from([1, 7, 9, 3]);
    const [first, second] = [1, 2].map((seed) => {
      const [scored] = tinyScorer(tokenizer, "one", seed).score([ids]);
      return scored!.value;
    });
    const item = { input: { $case: "tokens" as const, value: toTokens(ids) } };
    await withServer(
      async (client) => {
        const { scores } = await client.scoreBatch(batchOf([item]));
        expect(scores[0]!.value).toBeCloseTo((first! + second!) / 2, 12);
        expect(scores[0]!.uncertainty).toBeCloseTo(Math.abs(first! - second!) / 2, 12);
        const { models } = await client.listModels({});
        expect(models[0]).toMatchObject({ scoreMean: 0.5, scoreStd: 2 });
      },
      { scorers: [ensemble] },
    );
  });

  it("answers RESOURCE_EXHAUSTED beyond its queue", async () => {
    await withServer(
      async (client) => {
        const tooMany = client.scoreBatch(batchOf(randomItems(5)));
        await expect(tooMany).rejects.toMatchObject({ code: "resource_exhausted" });
      },
      { maxQueued: 4 },
    );
  });

  it("serves several versions of a name: the first unless one is pinned", async () => {
    await withServer(
      async (client) => {
        const items = randomItems(2);
        const ask = (name: string, version: string) =>
          client.scoreBatch({ model: { name, version }, items, truncation: REFUSE });
        const [first, pinned, byVersion] = await Promise.all([
          ask("helpful", ""),
          ask("helpful", "v2"),
          ask("", "v2"),
        ]);
        expect(first).toMatchObject({ model: "helpful", modelVersion: "v1" });
        expect(pinned).toMatchObject({ model: "helpful", modelVersion: "v2" });
        expect(pinned!.scores).not.toEqual(first!.scores);
        expect(byVersion).toEqual(pinned);
        await expect(ask("helpful", "v3")).rejects.toThrow(/helpful@v3.*helpful@v1, helpful@v2/);
        const requests = (async function* () {
          for (const [i, version] of ["v1", "v2", "v3"].entries()) {
            const model = { name: "helpful", version };
            yield { itemId: BigInt(i), model, item: items[0], truncation: REFUSE };
          }
        })();
        const answers = new Map<number, string>();
        for await (const { itemId, modelVersion, result } of client.scoreStream(requests)) {
          answers.set(Number(itemId), `${modelVersion} ${result!.$case}`);
        }
        expect(answers).toEqual(
          new Map([
            [0, "v1 score"],
            [1, "v2 score"],
            [2, " error"],
          ]),
        );
      },
      { scorers: [tinyScorer(tokenizer, "helpful"), tinyScorer(tokenizer, "helpful", 2)] },
    );
  });

  it("reads text with the model's own tokenizer, whatever the policy's is", async () => {
    const words = await trainCharTokenizer(["helo. ", "i"]);
    await withServer(
      async (client) => {
        const messages = [
          { role: "user" as const, content: "hi." },
          { role: "assistant" as const, content: "hello." },
        ];
        const text = { $case: "conversation" as const, value: toConversation(messages) };
        const own = renderChat(words, messages).ids;
        const { scores } = await client.scoreBatch(batchOf([{ input: text }], "other"));
        const item = { input: { $case: "tokens" as const, value: toTokens(own) } };
        expect(scores).toEqual((await client.scoreBatch(batchOf([item], "other"))).scores);
        const foreign = toTokens(Int32Array.of(tokenizer.vocabSize - 1));
        const beyond = { input: { $case: "tokens" as const, value: foreign } };
        expect((await client.scoreBatch(batchOf([beyond]))).scores).toHaveLength(1);
        const refused = client.scoreBatch(batchOf([beyond], "other"));
        await expect(refused).rejects.toMatchObject({ code: "invalid_argument" });
      },
      { scorers: [tinyScorer(tokenizer, "helpful"), tinyScorer(words, "other")] },
    );
  });

  it("truncates on a stream only where the item asks for it", async () => {
    await withServer(async (client) => {
      const ids = Array.from({ length: 40 }, (_, i) => 6 + (i % 20));
      const item = { input: { $case: "tokens" as const, value: { ids } } };
      const requests = (async function* () {
        yield { itemId: 0n, model: undefined, item, truncation: REFUSE };
        yield { itemId: 1n, model: undefined, item, truncation: KEEP_END };
      })();
      const results = new Map<bigint, unknown>();
      for await (const { itemId, result } of client.scoreStream(requests)) {
        results.set(itemId, result!.value);
      }
      expect(results.get(0n)).toMatchObject({ code: 3 });
      expect(results.get(1n)).toMatchObject({ numTokens: 32, numTruncated: 8 });
    });
  });

  it("lists its models, the default first, and knows no others", async () => {
    await withServer(async (client) => {
      const { models } = await client.listModels({});
      expect(models.map(({ name, version }) => `${name}@${version}`)).toEqual([
        "helpful@v1",
        "harmless@v2",
      ]);
      expect(models[0]).toMatchObject({ tokenizerFingerprint: tokenizer.fingerprint });
      const unknown = client.scoreBatch(batchOf(randomItems(1), "funny"));
      await expect(unknown).rejects.toMatchObject({ code: "not_found" });
      await expect(client.scoreBatch(batchOf([]))).rejects.toThrow(/length of items/);
    });
  });
});
