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
import type { Settings } from "../http/api/index.js";
import type { Database } from "../store/database.js";
import { createFeedbackStore, type FeedbackKind } from "../store/feedback-store.js";
import { readSettings } from "../store/settings.js";
import { queueStatus, setGold, withdrawComparisons } from "./comparisons-admin.js";
import { reportLoop } from "./loop-reports.js";
import { assignmentById, nextAssignment } from "./queue.js";
import { checkSize, MAX_COMPARISON_BYTES, MAX_FEEDBACK_BYTES } from "./sizes.js";

export interface FeedbackServiceDeps {
  database: Database;
  /** Settings until an operator changes them. */
  defaults?: Partial<Settings>;
  /** Default: the clock. */
  now?: () => Date;
}

/** The service as a server or `callInProcess` takes it. */
export interface FeedbackService {
  readonly handlers: Handlers<typeof feedback.FeedbackServiceService>;
  register(server: RpcServer): void;
}

const MAX_ID_LENGTH = 128;
const MAX_COMPARISONS = 1000;
const MAX_SKIP_REASON = 1000;

/** FeedbackService over a database. */
export function createFeedbackService({
  database,
  defaults = {},
  now = () => new Date(),
}: FeedbackServiceDeps): FeedbackService {
  const { db, transact } = database;
  const store = createFeedbackStore(database);
  const keep = (given: Partial<feedback.Feedback>, id: string) => {
    const entry: feedback.Feedback = {
      origin: undefined,
      body: undefined,
      comparisonId: "",
      ...given,
      feedbackId: id === "" ? randomUUID() : checkId(id, "feedback_id"),
      createdAt: now(),
    };
    checkSize("feedback", feedback.Feedback.encode(entry).finish().length, MAX_FEEDBACK_BYTES);
    return store.add(entry);
  };
  const list = async (kind: FeedbackKind | undefined, request: ListRequest) => {
    const { items, ...rest } = await store.listFeedback({ kind, ...request });
    return { feedback: items, ...rest };
  };
  const handlers: Handlers<typeof feedback.FeedbackServiceService> = {
    async addComparisons({ comparisons }) {
      if (comparisons.length > MAX_COMPARISONS) {
        throw invalidField("length of comparisons", comparisons.length, `≤ ${MAX_COMPARISONS}`);
      }
      comparisons.forEach((comparison, i) => checkComparison(comparison, `comparisons[${i}]`));
      return { numAdded: await store.addComparisons(comparisons) };
    },
    async listComparisons({ includeRanked, rater, ...page }) {
      const { ratersPerComparison } = await readSettings(db, defaults);
      const filter = includeRanked ? {} : { ratersPerComparison };
      const { items, nextPageToken, hasMore } = await store.listComparisons({
        ...page,
        ...filter,
        rater,
      });
      return { comparisons: items, nextPageToken: hasMore ? nextPageToken : "" };
    },
    async submitRanking(request) {
      const { comparisonId } = request;
      const comparison = comparisonId === "" ? undefined : await store.comparison(comparisonId);
      const { ranking, origin } = rankingOf(request, comparison);
      parseRanking(ranking);
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
    listFeedback: ({ kind, ...request }) => list(KINDS[kind], request),
    listDemonstrations: (page) => list("demonstration", { ...page, includeRevised: false }),
    listFlags: (page) => list("flag", { ...page, includeRevised: false }),
    async nextAssignment({ rater }) {
      checkId(rater, "rater");
      const rules = { ...(await readSettings(db, defaults)), now: now(), random: Math.random };
      const held = await transact((tx) => nextAssignment(tx, rater, rules));
      if (!held) return { assignment: undefined };
      const { id: assignmentId, comparison, expiresAt } = held;
      return { assignment: { assignmentId, comparison, expiresAt } };
    },
    async skipAssignment({ assignmentId, reason }) {
      if (reason.length > MAX_SKIP_REASON) {
        throw invalidField("length of reason", reason.length, `at most ${MAX_SKIP_REASON}`);
      }
      await transact(async (tx) => {
        const held = await assignmentById(tx, assignmentId);
        if (!held) throw new StagecraftError("not_found", `there is no assignment ${assignmentId}`);
        if (held.state !== "held") return;
        const change = { state: "skipped", ended_at: now(), skip_reason: reason } as const;
        await tx.updateTable("assignments").set(change).where("id", "=", assignmentId).execute();
      });
      return {};
    },
    async withdrawComparisons(request) {
      const { comparisonIds } = request;
      if (comparisonIds.length > MAX_COMPARISONS) {
        const most = `≤ ${MAX_COMPARISONS}`;
        throw invalidField("length of comparison_ids", comparisonIds.length, most);
      }
      return { numWithdrawn: await transact((tx) => withdrawComparisons(tx, request, now())) };
    },
    async setGold({ comparisonId, ranks }) {
      await transact((tx) => setGold(tx, comparisonId, ranks));
      return {};
    },
    async getQueueStatus({ batch }) {
      const { ratersPerComparison } = await readSettings(db, defaults);
      return queueStatus(db, { batch, ratersPerComparison, now: now() });
    },
    async reportLoop(report) {
      await transact((tx) => reportLoop(tx, report, now()));
      return {};
    },
  };
  return {
    handlers,
    register: (server) => server.addService(feedback.FeedbackServiceService, handlers),
  };
}

interface ListRequest {
  pageSize: number;
  pageToken: string;
  includeRevised: boolean;
}

const KINDS: Readonly<Partial<Record<feedback.FeedbackKind, FeedbackKind>>> = {
  [feedback.FeedbackKind.RANKING]: "ranking",
  [feedback.FeedbackKind.DEMONSTRATION]: "demonstration",
  [feedback.FeedbackKind.FLAG]: "flag",
};

/** The ranking, filled up from the comparison that it is about. */
function rankingOf(
  { ranking, origin, comparisonId }: feedback.SubmitRankingRequest,
  comparison: feedback.Comparison | undefined,
): Pick<feedback.SubmitRankingRequest, "ranking" | "origin"> {
  if (comparisonId === "" || !ranking) return { ranking, origin };
  if (!comparison) throw new StagecraftError("not_found", `there is no comparison ${comparisonId}`);
  const { prompt, answers, kind, modelVersion } = comparison;
  return {
    ranking: { ...ranking, prompt, answers },
    origin: { rater: origin?.rater ?? "", kind, modelVersion },
  };
}

function checkComparison(comparison: feedback.Comparison, field: string): void {
  checkId(comparison.comparisonId, `${field}.comparison_id`);
  if (comparison.batch !== "") checkId(comparison.batch, `${field}.batch`);
  const bytes = feedback.Comparison.encode(comparison).finish().length;
  checkSize(field, bytes, MAX_COMPARISON_BYTES);
  const { prompt, answers } = comparison;
  // A comparison is a ranking that has no order yet.
  parseRanking({ prompt, answers, ranks: answers.map(() => 1), criteria: [] }, field);
}

function checkId(id: string, field: string): string {
  if (id.length < 1 || id.length > MAX_ID_LENGTH) {
    throw invalidField(`length of ${field}`, id.length, `from 1 to ${MAX_ID_LENGTH}`);
  }
  if (id.includes("\0")) throw invalidField(field, "with a NUL character", "without one");
  return id;
}
