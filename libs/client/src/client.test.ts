import { common, policy, reward, trainer } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { createRpcServer, type Handlers, type RpcLimits, type RpcService } from "@stagecraft/rpc";
import { describe, expect, it } from "vitest";
import { connectPolicy, connectRewardModel, connectTrainer, followRun } from "./index.js";

/** Serves the handlers on loopback; what they leave out is unimplemented. */
async function serve<S extends RpcService>(
  service: S,
  handlers: Partial<Handlers<S>>,
  limits: RpcLimits = {},
) {
  const unimplemented = () => {
    throw new StagecraftError("unimplemented", "not in this test");
  };
  const all = Object.fromEntries(Object.keys(service).map((name) => [name, unimplemented]));
  const server = createRpcServer({ host: "127.0.0.1", port: 0, limits });
  server.addService(service, { ...all, ...handlers } as Handlers<S>);
  const { port } = await server.start();
  return {
    address: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => server.drain(0).then(() => undefined),
  };
}

const QUESTION = { role: "user", content: "2 + 2?" } as const;
const ANSWER = { role: "assistant", content: "4" } as const;

describe("connectRewardModel()", () => {
  it("scores conversations in their order", async () => {
    await using server = await serve(reward.RewardServiceService, {
      scoreBatch: ({ items, truncation }) => ({
        scores: items.map(({ input }) => ({
          value: input?.$case === "conversation" ? input.value.messages.length : NaN,
          uncertainty: 0.5,
          numTokens: 7,
          numTruncated: truncation,
        })),
        model: "default",
        modelVersion: "1",
      }),
    });
    await using rewardModel = connectRewardModel(server.address);
    const scores = await rewardModel.score([[QUESTION, ANSWER], [QUESTION]]);
    const refused = {
      uncertainty: 0.5,
      numTokens: 7,
      numTruncated: reward.TruncationPolicy.REFUSE,
      scoredBy: "default@1",
    };
    expect(scores).toEqual([
      { value: 2, ...refused },
      { value: 1, ...refused },
    ]);
  });
});

describe("connectPolicy()", () => {
  const chunk = (text: string, id: number, finishReason = common.FinishReason.UNSPECIFIED) =>
    policy.GenerateResponse.fromPartial({
      ...{ text, tokenIds: [id], logProbs: [-0.5], weightVersions: [3], finishReason },
    });

  it("yields an answer piece by piece and returns the whole", async () => {
    await using server = await serve(policy.PolicyServiceService, {
      async *generate() {
        yield chunk("fo", 1);
        yield chunk("", 2);
        yield chunk("ur", 3, common.FinishReason.EOS);
      },
    });
    await using client = connectPolicy(server.address);
    const pieces: string[] = [];
    const answer = client.generate([QUESTION], { temperature: 1, maxNewTokens: 8, seed: 1 });
    let step = await answer.next();
    for (; !step.done; step = await answer.next()) pieces.push(step.value);
    expect(pieces).toEqual(["fo", "ur"]);
    expect(step.value).toEqual({
      text: "four",
      tokenIds: [1, 2, 3],
      logProbs: [-0.5, -0.5, -0.5],
      weightVersions: [3, 3, 3],
      finishReason: "eos",
    });
  });

  it("takes no cut-off stream for an answer", async () => {
    await using server = await serve(policy.PolicyServiceService, {
      async *generate() {
        yield chunk("fo", 1);
      },
    });
    await using client = connectPolicy(server.address);
    const answer = client.generate([QUESTION], { temperature: 1, maxNewTokens: 8, seed: 1 });
    await answer.next();
    await expect(answer.next()).rejects.toThrow("ended before the answer did");
  });
});

describe("followRun()", () => {
  const event = (sequence: bigint) => ({
    time: new Date(0),
    sequence,
    event: { $case: "metrics", value: { n: Number(sequence) } } as const,
  });
  const run = (state: trainer.RunState) => ({
    run: trainer.Run.fromPartial({ runId: "r", state }),
  });

  it("watches again after a lost connection, each event once, until the run has ended", async () => {
    const asked: bigint[] = [];
    await using server = await serve(trainer.TrainerServiceService, {
      async *watchRun({ afterSequence }) {
        asked.push(afterSequence);
        yield event(afterSequence + 1n);
        if (asked.length < 3) throw new StagecraftError("unavailable", "Connection dropped");
      },
      getRun: () => run(asked.length < 4 ? trainer.RunState.PAUSED : trainer.RunState.SUCCEEDED),
    });
    await using client = connectTrainer(server.address);
    const seen: unknown[] = [];
    let away = 0;
    const ended = await followRun(client, "r", {
      onEvent: (e) => seen.push(e.value),
      onAway: () => (away += 1),
      reconnectMs: 1,
    });
    expect(ended.state).toBe(trainer.RunState.SUCCEEDED);
    expect(asked).toEqual([0n, 1n, 2n, 3n]);
    expect(seen).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }]);
    expect(away).toBe(2);
  });

  it("watches again when the server closes a connection for its age, watch or no watch", async () => {
    const asked: bigint[] = [];
    const ages = { maxConnectionAgeMs: 20, maxConnectionAgeGraceMs: 20 };
    const handlers: Partial<Handlers<typeof trainer.TrainerServiceService>> = {
      async *watchRun({ afterSequence }, { signal }) {
        asked.push(afterSequence);
        yield event(afterSequence + 1n);
        if (asked.length < 3) await new Promise((resolve) => (signal.onabort = resolve));
      },
      getRun: () => run(trainer.RunState.SUCCEEDED),
    };
    await using server = await serve(trainer.TrainerServiceService, handlers, ages);
    await using client = connectTrainer(server.address);
    const ended = await followRun(client, "r", { reconnectMs: 1 });
    expect(ended.state).toBe(trainer.RunState.SUCCEEDED);
    expect(asked).toEqual([0n, 1n, 2n]);
  });

  it("throws what the trainer says of the run", async () => {
    await using server = await serve(trainer.TrainerServiceService, {
      async *watchRun() {
        yield await Promise.reject(new StagecraftError("not_found", "no run r"));
      },
    });
    await using client = connectTrainer(server.address);
    await expect(followRun(client, "r")).rejects.toThrow("no run r");
  });

  it("ends on its signal while the trainer is away", async () => {
    const stop = new AbortController();
    const gone = () => {
      throw new StagecraftError("unavailable", "nobody listens");
    };
    const client = { watchRun: gone, getRun: gone };
    const following = followRun(client, "r", {
      onAway: () => stop.abort(),
      signal: stop.signal,
      reconnectMs: 1,
    });
    await expect(following).rejects.toMatchObject({ code: "cancelled" });
  });
});
