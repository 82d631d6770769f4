import { Readable } from "node:stream";
import { feedback } from "@stagecraft/contracts";
import type { RpcMethods } from "@stagecraft/rpc";
import { toTurns } from "../feedback/turns.js";
import type { ExportKind } from "../http/api/index.js";

/** Where an export reads: the service over a connection, or one of this process. */
export type FeedbackReader = Pick<
  RpcMethods<typeof feedback.FeedbackServiceService>,
  "listFeedback"
>;

const KINDS: Readonly<Record<ExportKind, feedback.FeedbackKind>> = {
  rankings: feedback.FeedbackKind.RANKING,
  demonstrations: feedback.FeedbackKind.DEMONSTRATION,
  flags: feedback.FeedbackKind.FLAG,
};

const PAGE_SIZE = 1000;

/**
 * One record for each that stands, without gold items, in the order it came, as the stages read them;
 * docs/data.md shows each kind.
 */
export async function* exportRecords(
  reader: FeedbackReader,
  kind: ExportKind,
): AsyncGenerator<object> {
  const request = { kind: KINDS[kind], includeRevised: false, pageSize: PAGE_SIZE };
  for (let [pageToken, hasMore] = ["", true]; hasMore;) {
    const page = await reader.listFeedback({ ...request, pageToken });
    yield* page.feedback.map(recordOf);
    ({ nextPageToken: pageToken, hasMore } = page);
  }
}

/** The same as JSON lines. */
export function exportText(reader: FeedbackReader, kind: ExportKind): Readable {
  return Readable.from(linesOf(reader, kind));
}

async function* linesOf(reader: FeedbackReader, kind: ExportKind): AsyncGenerator<string> {
  for await (const record of exportRecords(reader, kind)) yield `${JSON.stringify(record)}\n`;
}

function recordOf({ feedbackId: id, origin, body }: feedback.Feedback): object {
  const { rater = "", kind = "", modelVersion = "" } = origin ?? {};
  const about = {
    ...(kind && { kind }),
    ...(rater && { rater }),
    ...(modelVersion && { model: modelVersion }),
  };
  switch (body?.$case) {
    case "ranking": {
      const { prompt, answers, ranks, criteria } = body.value;
      // Not `criteria`, which are ratings where rankings are read: of these 1 is best.
      const byCriterion = Object.fromEntries(criteria.map((c) => [c.criterion, c.ranks]));
      const detailed = criteria.length > 0 && { criteriaRanks: byCriterion };
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
