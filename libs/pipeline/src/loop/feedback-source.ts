import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { feedback, parseRanking, toConversation } from "@stagecraft/contracts";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import { MAX_ANSWERS, type Ranking } from "@stagecraft/data";
import { createRpcClient, type RpcClient } from "@stagecraft/rpc";
import type { Answers } from "../ranking/answers.js";
import { feedbackConnection, type LoopConfig } from "./loop-config.js";
import type { RankingSource, WaitOptions } from "./wait-for-rankings.js";

type FeedbackClient = RpcClient<typeof feedback.FeedbackServiceService>;

/** Rankings at the feedback service, whoever gave them. */
export interface FeedbackSource extends RankingSource, AsyncDisposable {
  /** Where the next round goes on reading. */
  position(): string;
}

export interface FeedbackOptions extends WaitOptions {
  /** Where the last round stopped reading; empty = at the beginning. */
  position: string;
  /** Name and version of the model that answered. */
  modelVersion: string;
}

const CHUNK = 200;

/** Puts the answers up at the feedback service. A service that is away is waited for, here and later. */
export async function openFeedback(
  config: LoopConfig,
  sets: readonly Answers[],
  options: FeedbackOptions,
): Promise<FeedbackSource> {
  const client = createRpcClient(
    feedback.FeedbackServiceClient,
    config.feedbackAddress,
    await feedbackConnection(config),
  );
  try {
    const patiently = <T>(call: () => Promise<T>) => retryWhileAway(call, config, options);
    const comparisons = sets
      .filter(({ answers }) => answers.length >= 2)
      .map((set) => toComparison(set, options.modelVersion));
    for (let i = 0; i < comparisons.length; i += CHUNK) {
      const chunk = comparisons.slice(i, i + CHUNK);
      await patiently(() => client.addComparisons({ comparisons: chunk }));
    }
    return sourceOf(client, patiently, options);
  } catch (thrown) {
    client.close();
    throw thrown;
  }
}

function sourceOf(
  client: FeedbackClient,
  patiently: <T>(call: () => Promise<T>) => Promise<T>,
  options: FeedbackOptions,
): FeedbackSource {
  const rankings: Ranking[] = [];
  let { position } = options;
  return {
    where: "at the feedback service",
    position: () => position,
    async read() {
      for (let hasMore = true; hasMore;) {
        const page = { pageSize: 0, pageToken: position, includeRevised: false };
        const request = { kind: feedback.FeedbackKind.RANKING, ...page };
        const answer = await patiently(() => client.listFeedback(request));
        rankings.push(...answer.feedback.flatMap((entry) => toRanking(entry, options)));
        position = answer.nextPageToken;
        hasMore = answer.hasMore;
      }
      return [...rankings];
    },
    [Symbol.asyncDispose]: async () => client.close(),
  };
}

/** The id is made from what is to be ranked, so that a round that is resumed asks nothing twice. */
function toComparison(set: Answers, modelVersion: string): feedback.Comparison {
  const { prompt, answers, kind = "" } = set;
  const hash = createHash("sha256").update(JSON.stringify([prompt, answers]));
  const comparisonId = hash.digest("hex").slice(0, 32);
  return { comparisonId, prompt: toConversation(prompt), answers, kind, modelVersion, batch: "" };
}

/** As the data library reads it; one that cannot be learned from is left out with a warning. */
function toRanking(entry: feedback.Feedback, { reporter }: FeedbackOptions): Ranking[] {
  if (entry.body?.$case !== "ranking") return [];
  const { criteria: _, ...ranking } = parseRanking(entry.body.value);
  const { rater = "", kind = "" } = entry.origin ?? {};
  if (ranking.answers.length > MAX_ANSWERS) {
    reporter.warn(`ranking ${entry.feedbackId} has more than ${MAX_ANSWERS} answers; left out`);
    return [];
  }
  return [{ id: entry.feedbackId, ...ranking, ...(rater && { rater }), ...(kind && { kind }) }];
}

async function retryWhileAway<T>(
  call: () => Promise<T>,
  { feedbackAddress }: LoopConfig,
  { signal, reporter, pollMs }: FeedbackOptions,
): Promise<T> {
  for (let told = false; ;) {
    throwIfAborted(signal);
    try {
      return await call();
    } catch (thrown) {
      const error = StagecraftError.from(thrown);
      if (error.code !== "unavailable" && error.code !== "deadline_exceeded") throw error;
      if (!told) reporter.warn(`no feedback service at ${feedbackAddress}: ${error.reason}`);
      told = true;
      await delay(pollMs, undefined, { signal }).catch(() => throwIfAborted(signal));
    }
  }
}
