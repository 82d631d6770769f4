import { policy, reward } from "@stagecraft/contracts";
import { createRpcClient } from "@stagecraft/rpc";
import type { FaultContext, FaultResult, FaultRow, Mutation } from "../fault-row.js";
import { Cleanup } from "../world/cleanup.js";
import { modelCalls, startHonestCallers } from "../world/honest-callers.js";
import { startModelServers, type ModelServers } from "../world/model-servers.js";

/** A request that no honest caller sends, and the code that it must end with. */
interface Hostile {
  code: string;
  send(): Promise<unknown>;
}

/** Rounds of every hostile request at once, beside honest callers of every kind. */
async function run({ count, mutations, patienceMs, progress }: FaultContext): Promise<FaultResult> {
  await using cleanup = new Cleanup();
  const servers = await startModelServers(cleanup, { mutations });
  const hostile = hostileRequests(cleanup, servers);
  const own = cleanup.use(modelCalls(servers));
  const honest = cleanup.use(await startHonestCallers(own.calls));
  const problems = new Set<string>();
  const strike = async ([name, { code, send }]: [string, Hostile]) => {
    const outcome = await send().then(
      () => "answered",
      (error: { code?: string }) => error.code ?? String(error),
    );
    if (outcome !== code) problems.add(`${name}: ${outcome} instead of ${code}`);
  };
  for (let i = 0; i < count && honest.problems().length === 0; i++) {
    const answered = honest.answered(1, patienceMs);
    await Promise.all([answered, ...Object.entries(hostile).map(strike)]);
    progress(i + 1, count);
  }
  for (const service of [servers.policy, servers.reward]) {
    if (service.hasEnded()) problems.add(`${service.name} has ended`);
  }
  return {
    problems: [...problems, ...honest.problems()],
    figures: {
      "hostile requests": count * Object.keys(hostile).length,
      kinds: Object.keys(hostile).length,
      "honest answers": honest.numCalls(),
    },
  };
}

function hostileRequests(cleanup: Cleanup, servers: ModelServers): Record<string, Hostile> {
  const { policyAddress, rewardAddress } = servers;
  const options = { retry: { maxAttempts: 1 }, timeoutMs: 30_000 };
  const policies = cleanup.use(createRpcClient(policy.PolicyServiceClient, policyAddress, options));
  const rewards = cleanup.use(createRpcClient(reward.RewardServiceClient, rewardAddress, options));
  const tokens = (...ids: number[]) => ({ $case: "tokens" as const, value: { ids } });
  const text = (content: string) => ({
    $case: "conversation" as const,
    value: { messages: [{ role: 2, content }] },
  });
  const sampled = (sampling: object, more: object = {}, howMany = 1) => {
    const input = policy.GenerationInput.fromPartial({
      ...{ prompt: tokens(5, 6, 7), sampling: { maxNewTokens: 6, seed: 1n, ...sampling } },
      ...more,
    });
    return {
      model: "",
      requestId: "hostile",
      inputs: Array.from({ length: howMany }, () => input),
    };
  };
  const generate = (...asked: Parameters<typeof sampled>) =>
    refused(() => policies.generateBatch(sampled(...asked)));
  const judge = (request: object) =>
    refused(() => policies.scoreLogProbs(policy.ScoreLogProbsRequest.fromPartial(request)));
  const score = (request: object) =>
    refused(() => rewards.scoreBatch(reward.ScoreBatchRequest.fromPartial(request)));
  const long = text("a".repeat(3_000_000));
  const item = { input: tokens(5, 6) };
  const scored = Array.from({ length: 256 }, () => ({ ids: Array<number>(40).fill(5) }));
  return {
    "repetition_penalty 1e-40": generate({ repetitionPenalty: 1e-40 }),
    "repetition_penalty 1e300": generate({ repetitionPenalty: 1e300 }),
    "temperature 1e-45": generate({ temperature: 1e-45 }),
    "temperature NaN": generate({ temperature: NaN }),
    "top_p -1": generate({ topP: -1 }),
    "a seed of 2^63": generate({ seed: 2n ** 63n }),
    "no new token": generate({ maxNewTokens: 0 }),
    "a token outside the vocabulary": generate({}, { prompt: tokens(5, 2 ** 32 - 1) }),
    "a text of 3 MB": generate({}, { prompt: long }),
    "inputs beyond the limit": generate({}, {}, 300),
    "weights that never come": {
      code: "deadline_exceeded",
      send: () => policies.generateBatch(sampled({}, { minWeightVersion: 9 }), { timeoutMs: 200 }),
    },
    "a message beyond 4 MiB": {
      code: "resource_exhausted",
      send: () => policies.generateBatch(sampled({}, { prompt: text("a".repeat(5_000_000)) })),
    },
    "log-probs at temperature 1e-45": judge({
      ...{ sequences: [{ ids: [5, 6] }], promptLengths: [1], temperature: 1e-45 },
    }),
    "log-probs of nothing": judge({ sequences: [{ ids: [] }], promptLengths: [0] }),
    "log-probs that nobody waits for": {
      code: "deadline_exceeded",
      send: () =>
        policies.scoreLogProbs(
          policy.ScoreLogProbsRequest.fromPartial({
            ...{ sequences: scored, promptLengths: scored.map(() => 1) },
          }),
          { timeoutMs: 1 },
        ),
    },
    "a score of 3 MB": score({ items: [{ input: long }], truncation: 2 }),
    "a score of a token outside": score({ items: [{ input: tokens(2 ** 31) }], truncation: 1 }),
    "a score of nothing": score({ items: [{}], truncation: 1 }),
    "items beyond the limit": score({ items: Array(1100).fill(item), truncation: 1 }),
    "a truncation that is none": score({ items: [item], truncation: 77 }),
  };
}

const refused = (send: Hostile["send"]): Hostile => ({ code: "invalid_argument", send });

const unchecked = (find: string): Mutation => ({
  file: "libs/core/dist/sampling-limits.js",
  find,
  replace: "true",
});
const TEMPERATURE = unchecked(
  "value === 0 || (value >= minTemperature && value <= maxTemperature)",
);
const PENALTY = unchecked("value >= minRepetitionPenalty && value <= maxRepetitionPenalty");

/** See `doc`. */
export const hostileRequest: FaultRow = {
  name: "hostile-request",
  doc: "one caller sends numbers that would make logits infinite, oversized texts, tokens outside the vocabulary, work that nobody waits for: each is refused by its name, honest callers beside it never fail and get the same bits",
  counts: { full: 100, short: 3 },
  run,
  controls: [
    {
      name: "sampling parameters are not held against their limits",
      ...TEMPERATURE,
      also: [PENALTY],
      count: 1,
      expect: /(penalty|temperature) \S+: \w+ instead of invalid_argument/,
    },
    {
      name: "nor does a sequence without finite logits fail alone",
      ...TEMPERATURE,
      also: [
        PENALTY,
        {
          file: "libs/model/dist/generation/generation-engine.js",
          find: "if (!onFailure)",
          replace: "if (true)",
        },
      ],
      count: 5,
      expect: /honest generate\w* failed/,
    },
  ],
};
