import { feedback } from "@stagecraft/contracts";
import { paginate, type Page, type PageRequest } from "../feedback/paginate.js";
import { insertComparisons } from "./comparisons.js";
import type { Database, Db } from "./database.js";
import { insertFeedback } from "./feedback-rows.js";

export type FeedbackKind = "ranking" | "demonstration" | "flag";

/** What people said and what they are asked about, in the order it came. */
export interface FeedbackStore {
  /**
   * Stores feedback; what is stored already under this id is returned as it is, or refused with
   * `already_exists` if it says something else.
   */
  add(entry: feedback.Feedback): Promise<feedback.Feedback>;
  /**
   * Stores comparisons whose ids are new; returns how many were. Refuses all with `already_exists`
   * if one of the ids stands for something else.
   */
  addComparisons(comparisons: readonly feedback.Comparison[]): Promise<number>;
  comparison(id: string): Promise<feedback.Comparison | undefined>;
  listComparisons(request: PageRequest & ComparisonFilter): Promise<Page<feedback.Comparison>>;
  /** Rankings of gold items are left out. */
  listFeedback(request: PageRequest & FeedbackFilter): Promise<Page<feedback.Feedback>>;
}

export interface ComparisonFilter {
  /** Those that so many people have ranked are left out, and those that are withdrawn; undefined = none is. */
  ratersPerComparison?: number;
  /** What this person has ranked is left out too. */
  rater: string;
}

export interface FeedbackFilter {
  kind?: FeedbackKind | undefined;
  /** Rankings too that their rater has revised since. */
  includeRevised: boolean;
}

/** The store of a database. */
export function createFeedbackStore({ db, transact }: Database): FeedbackStore {
  return {
    add: (entry) => transact((tx) => insertFeedback(tx, entry)),
    addComparisons: (comparisons) => transact((tx) => insertComparisons(tx, comparisons)),
    async comparison(id) {
      const query = db.selectFrom("comparisons").select("body").where("id", "=", id);
      const row = await query.executeTakeFirst();
      return row && feedback.Comparison.fromJSON(row.body);
    },
    async listComparisons(request) {
      const numRows = await countRows(db, "comparisons");
      const listed = listedComparisons(db, request);
      return paginate(
        {
          numRows,
          sizes: (after, limit) =>
            listed
              .where("position", ">", after)
              .where("position", "<=", numRows)
              .orderBy("position")
              .limit(limit)
              .execute(),
          read: (positions) => readComparisons(db, positions),
        },
        request,
      );
    },
    async listFeedback(request) {
      const numRows = await countRows(db, "feedback");
      const listed = listedFeedback(db, request);
      return paginate(
        {
          numRows,
          sizes: (after, limit) =>
            listed
              .where("position", ">", after)
              .where("position", "<=", numRows)
              .orderBy("position")
              .limit(limit)
              .execute(),
          read: (positions) => readFeedback(db, positions),
        },
        request,
      );
    },
  };
}

async function countRows(db: Db, name: "comparisons" | "feedback"): Promise<number> {
  const query = db.selectFrom("counters").select("value").where("name", "=", name);
  return (await query.executeTakeFirstOrThrow()).value;
}

function listedComparisons(db: Db, { ratersPerComparison, rater }: ComparisonFilter) {
  const all = db.selectFrom("comparisons").select(["position", "bytes"]);
  if (ratersPerComparison === undefined) return all;
  return all
    .where("ranked", "<", ratersPerComparison)
    .where("withdrawn_at", "is", null)
    .where("id", "not in", ({ selectFrom }) =>
      selectFrom("feedback")
        .select("comparison_id")
        .where("rater", "=", rater)
        .where("rater", "<>", ""),
    );
}

function listedFeedback(db: Db, { kind, includeRevised }: FeedbackFilter) {
  let query = db
    .selectFrom("feedback")
    .select(["position", "bytes"])
    .where("comparison_id", "not in", ({ selectFrom }) =>
      selectFrom("comparisons").select("id").where("gold", "is not", null),
    );
  if (kind !== undefined) query = query.where("kind", "=", kind);
  return includeRevised ? query : query.where("revised", "=", false);
}

async function readComparisons(db: Db, positions: readonly number[]) {
  const query = db.selectFrom("comparisons").select("body").where("position", "in", positions);
  const rows = await query.orderBy("position").execute();
  return rows.map(({ body }) => feedback.Comparison.fromJSON(body));
}

async function readFeedback(db: Db, positions: readonly number[]) {
  const query = db.selectFrom("feedback").select("body").where("position", "in", positions);
  const rows = await query.orderBy("position").execute();
  return rows.map(({ body }) => feedback.Feedback.fromJSON(body));
}
