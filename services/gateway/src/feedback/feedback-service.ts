import { randomUUID } from "node:crypto";
import {
  feedback,
  invalidField,
  parseDemonstration,
  parseFlag,
  parseRanking,
} from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import type { Handlers, RpcServer } from "@stagecraft/rpc";
import type { FeedbackStore } from "../store/feedback-store.js";
import { paginate } from "./paginate.js";
import { checkSize, MAX_COMPARISON_BYTES, MAX_FEEDBACK_BYTES } from "./sizes.js";

export interface FeedbackServiceDeps {
  store: FeedbackStore;
  /** A comparison is handed out until so many people have ranked it. Default 1. */
  ratersPerComparison?: number;
  /** Default: the clock. */
  now?: () => Date;
}

const MAX_ID_LENGTH = 128;
const MAX_COMPARISONS = 1000;

/** FeedbackService over a store. */
export function createFeedbackService({
  store,
  ratersPerComparison = 1,
  now = () => new Date(),
}: FeedbackServiceDeps): { register(server: RpcServer): void } {
  const isOpenTo = (rater: string, { comparisonId: id }: feedback.Comparison) =>
    store.words.numRaters(id) < ratersPerComparison && !store.words.hasRanked(rater, id);
  const keep = (given: Partial<feedback.Feedback>, id: string) => {
    const entry: feedback.Feedback = {
      origin: undefined,
      body: undefined,
      comparisonId: "",
      ...given,
      feedbackId: id === "" ? randomUUID() : checkId(id, "feedback_id"),
      createdAt: now(),
    };
    checkSize("feedback", sizeOfFeedback(entry), MAX_FEEDBACK_BYTES);
    return store.add(entry);
  };
  const handlers: Handlers<typeof feedback.FeedbackServiceService> = {
    async addComparisons({ comparisons }) {
      if (comparisons.length > MAX_COMPARISONS) {
        throw invalidField("length of comparisons", comparisons.length, `≤ ${MAX_COMPARISONS}`);
      }
      comparisons.forEach((comparison, i) => checkComparison(comparison, `comparisons[${i}]`));
      return { numAdded: await store.addComparisons(comparisons) };
    },
    listComparisons({ includeRanked, rater, ...page }) {
      // The token counts all comparisons, so that one ranked meanwhile shifts nothing.
      const { items, nextPageToken, hasMore } = paginate(store.comparisons(), {
        ...page,
        sizeOf: sizeOfComparison,
      });
      const comparisons = items.filter((c) => includeRanked || isOpenTo(rater, c));
      return { comparisons, nextPageToken: hasMore ? nextPageToken : "" };
    },
    async submitRanking(request) {
      const { ranking, origin } = rankingOf(request, store);
      parseRanking(ranking);
      const { comparisonId } = request;
      const body = { $case: "ranking", value: ranking! } as const;
      return { feedback: await keep({ origin, body, comparisonId }, request.feedbackId) };
    },
    async submitDemonstration({ feedbackId, origin, demonstration }) {
      parseDemonstration(demonstration);
      const body = { $case: "demonstration", value: demonstration! } as const;
      return { feedback: await keep({ origin, body }, feedbackId) };
    },
    async submitFlag({ feedbackId, origin, flag }) {
      parseFlag(flag);
      const body = { $case: "flag", value: flag! } as const;
      return { feedback: await keep({ origin, body }, feedbackId) };
    },
    listFeedback({ kind, includeRevised, ...page }) {
      const wanted = CASES[kind];
      const { items, ...rest } = paginate(store.all(), { ...page, sizeOf: sizeOfFeedback });
      const isListed = (entry: feedback.Feedback) =>
        (wanted === undefined || entry.body?.$case === wanted) &&
        (includeRevised || !store.words.isRevised(entry));
      return { feedback: items.filter(isListed), ...rest };
    },
    nextAssignment: notYet,
    skipAssignment: notYet,
    withdrawComparisons: notYet,
    setGold: notYet,
    getQueueStatus: notYet,
    listDemonstrations: notYet,
    listFlags: notYet,
    reportLoop: notYet,
  };
  return { register: (server) => server.addService(feedback.FeedbackServiceService, handlers) };
}

function notYet(): never {
  throw new StagecraftError(
    "unimplemented",
    "this gateway keeps a journal, which has no queue yet",
  );
}

const sizeOfFeedback = (entry: feedback.Feedback) =>
  feedback.Feedback.encode(entry).finish().length;
const sizeOfComparison = (comparison: feedback.Comparison) =>
  feedback.Comparison.encode(comparison).finish().length;

type BodyCase = NonNullable<feedback.Feedback["body"]>["$case"];

const CASES: Readonly<Partial<Record<feedback.FeedbackKind, BodyCase>>> = {
  [feedback.FeedbackKind.RANKING]: "ranking",
  [feedback.FeedbackKind.DEMONSTRATION]: "demonstration",
  [feedback.FeedbackKind.FLAG]: "flag",
};

/** The ranking, filled up from the comparison that it is about. */
function rankingOf(
  { ranking, origin, comparisonId }: feedback.SubmitRankingRequest,
  store: FeedbackStore,
): Pick<feedback.SubmitRankingRequest, "ranking" | "origin"> {
  if (comparisonId === "" || !ranking) return { ranking, origin };
  const comparison = store.comparison(comparisonId);
  if (!comparison) {
    throw new StagecraftError("not_found", `there is no comparison ${comparisonId}`);
  }
  const { prompt, answers, kind, modelVersion } = comparison;
  return {
    ranking: { ...ranking, prompt, answers },
    origin: { rater: origin?.rater ?? "", kind, modelVersion },
  };
}

function checkComparison(comparison: feedback.Comparison, field: string): void {
  checkId(comparison.comparisonId, `${field}.comparison_id`);
  checkSize(field, sizeOfComparison(comparison), MAX_COMPARISON_BYTES);
  const { prompt, answers } = comparison;
  // A comparison is a ranking that has no order yet.
  parseRanking({ prompt, answers, ranks: answers.map(() => 1), criteria: [] }, field);
}

function checkId(id: string, field: string): string {
  if (id.length >= 1 && id.length <= MAX_ID_LENGTH) return id;
  throw invalidField(`length of ${field}`, id.length, `from 1 to ${MAX_ID_LENGTH}`);
}
