import { Readable } from "node:stream";
import { feedback } from "@stagecraft/contracts";
import { toTurns } from "../feedback/turns.js";
import type { ExportKind } from "../http/api/index.js";
import type { Database } from "../store/database.js";
import { createFeedbackStore, type FeedbackKind } from "../store/feedback-store.js";

const KINDS: Readonly<Record<ExportKind, FeedbackKind>> = {
  rankings: "ranking",
  demonstrations: "demonstration",
  flags: "flag",
};

/** JSON lines as the stages read them: what stands, without gold items, in the order it came. */
export function exportText(database: Database, kind: ExportKind): Readable {
  return Readable.from(linesOf(database, kind));
}

async function* linesOf(database: Database, kind: ExportKind): AsyncGenerator<string> {
  const store = createFeedbackStore(database);
  const request = { kind: KINDS[kind], includeRevised: false, pageSize: 1000 };
  for (let [pageToken, hasMore] = ["", true]; hasMore;) {
    const page = await store.listFeedback({ ...request, pageToken });
    yield page.items.map((entry) => `${JSON.stringify(recordOf(entry))}\n`).join("");
    ({ nextPageToken: pageToken, hasMore } = page);
  }
}

/** One line; docs/data.md shows each kind. */
export function recordOf({ feedbackId: id, origin, body }: feedback.Feedback): object {
  const { rater = "", kind = "", modelVersion = "" } = origin ?? {};
  const about = {
    ...(kind && { kind }),
    ...(rater && { rater }),
    ...(modelVersion && { model: modelVersion }),
  };
  switch (body?.$case) {
    case "ranking": {
      const { prompt, answers, ranks, criteria } = body.value;
      const by = Object.fromEntries(criteria.map((c) => [c.criterion, c.ranks]));
      const detailed = criteria.length > 0 && { criteria: by };
      return { id, prompt: toTurns(prompt), answers, ranks, ...detailed, ...about };
    }
    case "demonstration":
      return { id, messages: toTurns(body.value.conversation), ...about };
    case "flag": {
      const { conversation, category, comment, reason } = body.value;
      const named = category || feedback.flagReasonToJSON(reason);
      return { id, messages: toTurns(conversation), category: named, comment, ...about };
    }
    default:
      return { id };
  }
}
