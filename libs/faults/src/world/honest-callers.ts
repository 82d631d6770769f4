import { setTimeout as delay } from "node:timers/promises";
import { policy, reward } from "@stagecraft/contracts";
import { createRpcClient } from "@stagecraft/rpc";
import { waitFor } from "@stagecraft/testing";
import type { ModelServers } from "./model-servers.js";

/** One kind of call, again and again: what it answers as text, to be compared. */
export type HonestCall = () => Promise<string>;

/**
 * Callers that mean well, with clients as workers have them: what fails after its repeats counts (only
 * UNAVAILABLE is repeated, such as of a connection that is closed at its age), and so does every answer
 * of other bits.
 */
export interface HonestCallers extends AsyncDisposable {
  numCalls(): number;
  /** Failures and other answers, each once. */
  problems(): string[];
  /** Resolves when each kind has been answered so many times more, or one has failed. */
  answered(times: number, timeoutMs: number): Promise<void>;
}

/** Between two calls of a caller, ms. */
const PAUSE_MS = 5;

/** One caller for each kind; their first answers, before this resolves, are what all must be. */
export async function startHonestCallers(
  calls: Readonly<Record<string, HonestCall>>,
  { lanes = 1 }: { lanes?: number } = {},
): Promise<HonestCallers> {
  const problems = new Set<string>();
  const counts = new Map<string, number>();
  let stopped = false;
  const lane = async (name: string, call: HonestCall, expected: string) => {
    while (!stopped) {
      try {
        const answer = await call();
        if (answer !== expected) problems.add(`honest ${name} was answered with other bits`);
        counts.set(name, (counts.get(name) ?? 0) + 1);
      } catch (error) {
        problems.add(`honest ${name} failed: ${String(error)}`);
      }
      await delay(PAUSE_MS);
    }
  };
  const running: Promise<void>[] = [];
  for (const [name, call] of Object.entries(calls)) {
    const expected = await call();
    for (let i = 0; i < lanes; i++) running.push(lane(name, call, expected));
  }
  const countOf = (name: string) => counts.get(name) ?? 0;
  return {
    numCalls: () => [...counts.values()].reduce((sum, count) => sum + count, 0),
    problems: () => [...problems],
    async answered(times, timeoutMs) {
      const goals = Object.keys(calls).map((name) => ({ name, goal: countOf(name) + times }));
      const waiting = () => goals.filter(({ name, goal }) => countOf(name) < goal);
      await waitFor(() => problems.size > 0 || waiting().length === 0, {
        timeoutMs,
        what: `honest callers to be answered ${times} times more`,
      });
    },
    async [Symbol.asyncDispose]() {
      stopped = true;
      await Promise.all(running);
    },
  };
}

/** What is asked of policy and reward model: every kind of call, with fixed seeds. */
export interface ModelCalls extends AsyncDisposable {
  calls: Record<string, HonestCall>;
}

/** Over connections of their own. */
export function modelCalls({ policyAddress, rewardAddress }: ModelServers): ModelCalls {
  const options = { idempotent: "all", timeoutMs: 30_000 } as const;
  const policies = createRpcClient(policy.PolicyServiceClient, policyAddress, options);
  const rewards = createRpcClient(reward.RewardServiceClient, rewardAddress, options);
  const tokens = { $case: "tokens" as const, value: { ids: [5, 6, 7] } };
  const input = policy.GenerationInput.fromPartial({
    prompt: tokens,
    sampling: { maxNewTokens: 6, temperature: 1, topP: 0.9, seed: 7n },
  });
  const item = reward.ScoreInput.fromPartial({ input: tokens });
  const model = { name: "", version: "" };
  const scoring = policy.ScoreLogProbsRequest.fromPartial({
    sequences: [{ ids: [5, 6, 7, 8] }],
    promptLengths: [1],
  });
  return {
    calls: {
      generate: () => all(policies.generate({ model: "", input, requestId: "" }), tokensOf),
      generateBatch: async () => {
        const { generations } = await policies.generateBatch({
          ...{ model: "", requestId: "", inputs: [input] },
        });
        return tokensOf(generations[0]!);
      },
      scoreLogProbs: async () =>
        `${(await policies.scoreLogProbs(scoring)).sequences[0]!.logProbs}`,
      scoreBatch: async () => {
        const { scores } = await rewards.scoreBatch({ model, items: [item], truncation: 1 });
        return String(scores[0]!.value);
      },
      scoreStream: () =>
        repeated(() =>
          all(rewards.scoreStream(one({ itemId: 1n, model, item, truncation: 1 })), ({ result }) =>
            JSON.stringify(result),
          ),
        ),
    },
    [Symbol.asyncDispose]() {
      policies.close();
      rewards.close();
      return Promise.resolve();
    },
  };
}

const tokensOf = ({ tokenIds, logProbs }: Pick<policy.Generation, "tokenIds" | "logProbs">) =>
  tokenIds.map((id, i) => `${id}:${logProbs[i]}`).join(" ");

async function all<T>(answers: AsyncIterable<T>, show: (answer: T) => string): Promise<string> {
  const texts: string[] = [];
  for await (const answer of answers) texts.push(show(answer));
  return texts.filter((text) => text !== "").join(" ");
}

/** A client cannot send a stream of requests again; its caller can. */
async function repeated(call: HonestCall): Promise<string> {
  try {
    return await call();
  } catch (error) {
    if ((error as { code?: string }).code !== "unavailable") throw error;
    return call();
  }
}

async function* one<T>(value: T): AsyncGenerator<T> {
  yield await Promise.resolve(value);
}
