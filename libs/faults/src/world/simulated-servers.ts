import { setTimeout as delay } from "node:timers/promises";
import type { EventBus } from "@stagecraft/bus";
import { common, policy, reward, type ParsedWeights } from "@stagecraft/contracts";
import { createRandom, StagecraftError, throwIfAborted } from "@stagecraft/core";
import { createRpcServer, type Handlers } from "@stagecraft/rpc";
import { openWeightStore, weightAnnouncements } from "@stagecraft/weights";

export interface SimulationOptions {
  bus: EventBus;
  weightsBucket: string;
  /** Where the weights are, should an announcement be lost with the broker. */
  weightsDir: string;
  vocabSize: number;
  /** Of one answer, doubled at most by chance; default 5 ms. */
  latencyMs?: number;
}

/** A policy and a reward server without tensors, at one address. */
export interface SimulatedServers extends AsyncDisposable {
  address: string;
  /** Answers sampled so far. */
  numAnswers(): number;
  setLatencyMs(latencyMs: number): void;
}

/** Answers at random, under the weights that the trainer announced last, as a policy would. */
export async function startSimulatedServers(options: SimulationOptions): Promise<SimulatedServers> {
  const stop = new AbortController();
  const follower = followAnnouncements(options, stop.signal);
  let latencyMs = options.latencyMs ?? 5;
  let numAnswers = 0;
  const answer = async (input: policy.GenerationInput, signal: AbortSignal) => {
    const random = createRandom(String(input.sampling?.seed ?? 0n));
    await delay(latencyMs * (1 + random.nextFloat()), undefined, { signal });
    const weights = await follower.atLeast(input.minWeightVersion, signal);
    numAnswers++;
    return toGeneration(input, weights, { random, vocabSize: options.vocabSize });
  };
  const server = createRpcServer({ limits: { maxConcurrentCalls: 4096 } });
  server.addService(policy.PolicyServiceService, policyHandlers(answer));
  server.addService(reward.RewardServiceService, rewardHandlers());
  const { port } = await server.start();
  return {
    address: `127.0.0.1:${port}`,
    numAnswers: () => numAnswers,
    setLatencyMs: (value) => (latencyMs = value),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await server.drain(0);
    },
  };
}

function toGeneration(
  { prompt, sampling }: policy.GenerationInput,
  weights: ParsedWeights,
  { random, vocabSize }: { random: ReturnType<typeof createRandom>; vocabSize: number },
): policy.Generation {
  const promptIds = prompt?.$case === "tokens" ? prompt.value.ids : [];
  const length = 1 + (random.nextUint32() % (sampling?.maxNewTokens ?? 1));
  const draw = <T>(make: () => T) => Array.from({ length }, make);
  return {
    promptIds,
    tokenIds: draw(() => random.nextUint32() % vocabSize),
    logProbs: draw(() => -0.5 - random.nextFloat()),
    weightVersions: draw(() => weights.version),
    text: "simulated",
    finishReason: common.FinishReason.LENGTH,
    weights: [{ ...weights, step: BigInt(weights.step), sizeBytes: 0n }],
  };
}

type Answer = (input: policy.GenerationInput, signal: AbortSignal) => Promise<policy.Generation>;

const info = (name: string) =>
  common.ModelInfo.fromPartial({ name, version: "1", tokenizerFingerprint: "simulated" });
const refuse = () => {
  throw new StagecraftError("unimplemented", "simulated servers do not do this");
};

function policyHandlers(answer: Answer): Handlers<typeof policy.PolicyServiceService> {
  return {
    generate: refuse,
    async generateBatch({ inputs }, { signal }) {
      const generations = await Promise.all(inputs.map((input) => answer(input, signal)));
      return { generations, model: "simulated" };
    },
    scoreLogProbs: refuse,
    getModelInfo: () => ({ info: info("simulated") }),
    getStatus: refuse,
    loadWeights: refuse,
  };
}

function rewardHandlers(): Handlers<typeof reward.RewardServiceService> {
  return {
    scoreBatch: ({ items }) => ({
      scores: items.map(() => reward.Score.fromPartial({ value: Math.random() })),
      model: "simulated",
      modelVersion: "1",
    }),
    scoreStream: refuse,
    getModelInfo: () => ({ info: info("simulated") }),
    listModels: () => ({ models: [info("simulated")] }),
  };
}

function followAnnouncements(options: SimulationOptions, signal: AbortSignal) {
  const { bus, weightsBucket, weightsDir } = options;
  const store = openWeightStore(weightsDir);
  let current: ParsedWeights | undefined;
  void (async () => {
    for await (const weights of weightAnnouncements(bus, weightsBucket, { signal })) {
      current = weights;
    }
  })();
  return {
    async atLeast(version: number, callSignal: AbortSignal): Promise<ParsedWeights> {
      for (let round = 1; !current || current.version < version; round++) {
        throwIfAborted(callSignal);
        await delay(5, undefined, { signal: callSignal });
        // As the policy service does.
        if (round % 50 === 0) current = (await store.latest().catch(() => undefined)) ?? current;
      }
      return current;
    },
  };
}
