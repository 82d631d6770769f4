import { feedback } from "@stagecraft/contracts";
import type { Db } from "../store/database.js";
import type { FeedbackKind } from "../store/feedback-store.js";

const PAGE_SIZE = 50;

export interface OwnRequest {
  /** Undefined = of everybody. */
  rater?: string;
  /** `next` of the page before; empty = the newest. */
  after: string;
}

/** Feedback of a kind, the newest first, 50 at a time. */
export async function ownFeedback(
  db: Db,
  kind: FeedbackKind,
  { rater, after }: OwnRequest,
): Promise<{ items: feedback.Feedback[]; next: string | null }> {
  let query = db.selectFrom("feedback").select(["position", "body"]).where("kind", "=", kind);
  if (rater !== undefined) query = query.where("rater", "=", rater);
  if (after !== "") query = query.where("position", "<", Number(after));
  const rows = await query
    .orderBy("position", "desc")
    .limit(PAGE_SIZE + 1)
    .execute();
  const page = rows.slice(0, PAGE_SIZE);
  return {
    items: page.map(({ body }) => feedback.Feedback.fromJSON(body)),
    next: rows.length > PAGE_SIZE ? String(page.at(-1)!.position) : null,
  };
}
