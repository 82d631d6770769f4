import { createHash } from "node:crypto";
import { feedback, parseRanking, toConversation } from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { MAX_ANSWERS, type Ranking } from "@stagecraft/data";
import type { StageReporter } from "@stagecraft/runs";
import type { Answers } from "../ranking/answers.js";
import type { FeedbackConnection } from "./feedback-client.js";
import type { RankingSource } from "./wait-for-rankings.js";

/** Rankings at the feedback service, whoever gave them. */
export interface FeedbackSource extends RankingSource {
  /** Where the next round goes on reading. */
  position(): string;
}

export interface FeedbackOptions {
  /** Where the last round stopped reading; empty = at the beginning. */
  position: string;
  /** Name and version of the model that answered. */
  modelVersion: string;
  /** Of the round, to withdraw its comparisons by. */
  batch: string;
  reporter: StageReporter;
}

const CHUNK = 200;

/** Puts the answers up at the feedback service. */
export async function openFeedback(
  service: FeedbackConnection,
  sets: readonly Answers[],
  options: FeedbackOptions,
): Promise<FeedbackSource> {
  const comparisons = sets
    .filter(({ answers }) => answers.length >= 2)
    .map((set) => toComparison(set, options));
  for (let i = 0; i < comparisons.length; i += CHUNK) {
    const chunk = comparisons.slice(i, i + CHUNK);
    await service.call((client) => client.addComparisons({ comparisons: chunk }));
  }
  return sourceOf(service, options);
}

/** Takes what is still open of a round out of the queue: its rankings are complete. */
export async function withdraw(
  service: FeedbackConnection,
  { batch, reporter }: Pick<FeedbackOptions, "batch" | "reporter">,
): Promise<void> {
  try {
    const { numWithdrawn } = await service.call((client) =>
      client.withdrawComparisons({ comparisonIds: [], batch }),
    );
    if (numWithdrawn > 0) {
      reporter.info(`the ${numWithdrawn} prompts of the round are out of the queue`);
    }
  } catch (thrown) {
    const { code } = StagecraftError.from(thrown);
    if (code !== "unimplemented") throw thrown;
    reporter.warn(
      "this feedback service is too old to withdraw comparisons; people still see them",
    );
  }
}

function sourceOf(service: FeedbackConnection, options: FeedbackOptions): FeedbackSource {
  const rankings: Ranking[] = [];
  let { position } = options;
  return {
    where: "at the feedback service",
    position: () => position,
    async read() {
      for (let hasMore = true; hasMore;) {
        const page = { pageSize: 0, pageToken: position, includeRevised: false };
        const request = { kind: feedback.FeedbackKind.RANKING, ...page };
        const answer = await service.call((client) => client.listFeedback(request));
        rankings.push(...answer.feedback.flatMap((entry) => toRanking(entry, options)));
        position = answer.nextPageToken;
        hasMore = answer.hasMore;
      }
      return [...rankings];
    },
  };
}

/** The id is made from what is to be ranked, so that a round that is resumed asks nothing twice. */
function toComparison(
  { prompt, answers, kind = "" }: Answers,
  { modelVersion, batch }: FeedbackOptions,
): feedback.Comparison {
  const hash = createHash("sha256").update(JSON.stringify([prompt, answers]));
  const comparisonId = hash.digest("hex").slice(0, 32);
  return { comparisonId, prompt: toConversation(prompt), answers, kind, modelVersion, batch };
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
