import { initEngine } from "@stagecraft/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { allowBatchRounding } from "../../test/batch-rounding.js";
import { randomIds, tinyConfig, tinyModel } from "../../test/tiny.js";
import {
  createGenerationEngine,
  type GenerationEvent,
  type GenerationRequest,
} from "./generation-engine.js";

beforeAll(async () => {
  await initEngine({ engine: "auto" });
  allowBatchRounding();
});

const model = () => tinyModel(tinyConfig("llama"));
const plain = (seed: number): GenerationRequest => ({
  promptIds: randomIds(23, 5, seed),
  params: { maxNewTokens: 10, seed },
});
const withParams = (request: GenerationRequest, params: GenerationRequest["params"]) => ({
  ...request,
  params: { ...request.params, ...params },
});

async function answersOf(requests: readonly GenerationRequest[]): Promise<GenerationEvent[][]> {
  const engine = createGenerationEngine(model(), { maxSequences: 8 });
  const handles = requests.map((request) => engine.add(request));
  const events: GenerationEvent[] = [];
  while (engine.numActive + engine.numWaiting > 0) events.push(...(await engine.step()));
  engine.close();
  return handles.map((handle) => events.filter((event) => event.handle === handle));
}

const tokensOf = (events: readonly GenerationEvent[]) =>
  events.map(({ id, logProb, top }) => ({ id, logProb, top }));

describe("what one sequence asks for", () => {
  it("changes no bit of another: with a bias, penalties or likeliest tokens beside it", async () => {
    const others = [
      withParams(plain(1), { logitBias: [{ id: 3, bias: 4 }] }),
      withParams(plain(2), { frequencyPenalty: 1, presencePenalty: 0.5 }),
      { ...plain(3), numTop: 4 },
      withParams(plain(4), { topK: 3, repetitionPenalty: 1.5 }),
    ];
    const requests = [plain(0), ...others, plain(5)];
    const together = await answersOf(requests);
    for (const [i, request] of requests.entries()) {
      const [alone] = await answersOf([request]);
      expect(tokensOf(together[i]!)).toEqual(tokensOf(alone!));
    }
  });

  it("is not changed by asking for the likeliest tokens", async () => {
    for (const params of [{}, { temperature: 0 }, { topP: 0.6 }, { presencePenalty: 1 }]) {
      const request = withParams(plain(6), params);
      const [[silent], [told]] = [
        await answersOf([request]),
        await answersOf([{ ...request, numTop: 3 }]),
      ];
      const bare = ({ id, logProb }: GenerationEvent) => ({ id, logProb });
      expect(told!.map(bare)).toEqual(silent!.map(bare));
      for (const { top } of told!) expect(top).toHaveLength(3);
    }
  });

  it("tells the drawn token among the likeliest when it is one of them", async () => {
    const [greedy] = await answersOf([{ ...withParams(plain(7), { temperature: 0 }), numTop: 2 }]);
    for (const { id, logProb, top } of greedy!) expect(top![0]).toEqual({ id, logProb });
  });
});

describe("logit bias and penalties", () => {
  it("bans a token, and forces one, and leaves log-probs those of the model", async () => {
    const ban = Array.from({ length: 22 }, (_, id) => ({ id, bias: -100 }));
    const [forced] = await answersOf([
      { ...withParams(plain(8), { logitBias: ban, maxNewTokens: 3 }), numTop: 23 },
    ]);
    for (const { id, logProb, top } of forced!) {
      expect(id).toBe(22);
      expect(top!.find((each) => each.id === 22)!.logProb).toBe(logProb);
      expect(top!.reduce((sum, each) => sum + Math.exp(each.logProb), 0)).toBeCloseTo(1, 5);
    }
  });

  it("counts tokens of the answer alone, each as often as it came", async () => {
    const request = withParams(plain(9), { temperature: 0, maxNewTokens: 12 });
    const numDifferent = (events: GenerationEvent[]) => new Set(events.map(({ id }) => id)).size;
    const [free] = await answersOf([request]);
    const penalties = { presencePenalty: 2, frequencyPenalty: 2 };
    const [penalised] = await answersOf([withParams(request, penalties)]);
    expect(penalised![0]!.id).toBe(free![0]!.id); // nothing to count yet, whatever the prompt has
    expect(numDifferent(penalised!)).toBeGreaterThan(numDifferent(free!));
  });

  it("refuses what is out of range by name", () => {
    const engine = createGenerationEngine(model(), { maxSequences: 1 });
    const add = (params: GenerationRequest["params"]) => () =>
      engine.add(withParams(plain(1), params));
    expect(add({ logitBias: [{ id: 1, bias: 101 }] })).toThrow("logitBias");
    expect(add({ frequencyPenalty: 2.5 })).toThrow("frequencyPenalty");
    expect(add({ presencePenalty: NaN })).toThrow("presencePenalty");
    engine.close();
  });
});
