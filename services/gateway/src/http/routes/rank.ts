import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { flagAnswer } from "../../feedback/flags.js";
import { next, skip, submit, undo } from "../../feedback/rank-desk.js";
import { rankProgress } from "../../feedback/rank-progress.js";
import type {
  FlagStored,
  NextAssignment,
  RankingStored,
  RankProgress,
  Skipped,
} from "../api/index.js";
import { routesFor, type HttpContext } from "../context.js";
import { comment, flagCategory, id, ranks, submissionId, text } from "../fields.js";

const DAY_MS = 24 * 60 * 60_000;

const ranking = z.strictObject({
  submissionId,
  ranks,
  criteria: z.record(text(64), ranks),
  elapsedMs: z.int().min(0).max(DAY_MS),
});
const skipped = z.strictObject({
  submissionId,
  reason: z.enum(["not-my-field", "unclear", "too-long", "all-bad", "uneasy", "other"]),
  comment: text(1000),
});
const flagged = z.strictObject({
  submissionId,
  answer: z.int().min(0).max(63),
  category: flagCategory,
  comment,
});
const assignment = z.object({ assignmentId: id });

/** The Rank page. */
export function rankRoutes(app: FastifyInstance, context: HttpContext): void {
  const rater = routesFor(app, "rater");
  rater.post<NextAssignment>("/api/rank/next", ({ id }) => next(context, id));
  rater.post<NextAssignment>("/api/rank/undo", ({ id }) => undo(context, id));
  rater.get<RankProgress>("/api/rank/progress", ({ id }) => rankProgress(context, id));
  rater.post<RankingStored>("/api/rank/assignments/:assignmentId/submit", (person, request) => {
    const { assignmentId } = assignment.parse(request.params);
    return submit(context, person.id, { assignmentId, ...ranking.parse(request.body) });
  });
  rater.post<Skipped>("/api/rank/assignments/:assignmentId/skip", (person, request) => {
    const { assignmentId } = assignment.parse(request.params);
    return skip(context, person.id, { assignmentId, ...skipped.parse(request.body) });
  });
  rater.post<FlagStored>("/api/rank/assignments/:assignmentId/flag", (person, request) => {
    const { assignmentId } = assignment.parse(request.params);
    return flagAnswer(context, person.id, { assignmentId, ...flagged.parse(request.body) });
  });
}
