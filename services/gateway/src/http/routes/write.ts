import type { FastifyInstance } from "fastify";
import type { feedback } from "@stagecraft/contracts";
import { z } from "zod";
import { ownFeedback } from "../../feedback/own-feedback.js";
import { toTurns } from "../../feedback/turns.js";
import {
  createDraft,
  drafts,
  dropDraft,
  nextRequest,
  saveDraft,
  submitDraft,
} from "../../feedback/write-desk.js";
import type {
  DemonstrationStored,
  Draft,
  Drafts,
  NextRequest,
  OwnDemonstrations,
} from "../api/index.js";
import { routesFor, type HttpContext } from "../context.js";
import { after, id, submissionId, turn } from "../fields.js";

const draftTurns = z.array(turn.extend({ answerId: id.nullable() })).max(200);
const newDraft = z.strictObject({ submissionId, requestId: id.nullable(), turns: draftTurns });
const savedDraft = z.strictObject({ revision: z.int().min(1), turns: draftTurns });
const submitted = z.strictObject({ submissionId, revision: z.int().min(1) });
const params = z.object({ draftId: id });

/** The Write page. */
export function writeRoutes(app: FastifyInstance, context: HttpContext): void {
  const writer = routesFor(app, "writer");
  writer.post<NextRequest>("/api/write/next", ({ id }) => nextRequest(context, id));
  writer.get<Drafts>("/api/write/drafts", async ({ id }) => ({
    drafts: await drafts(context, id),
  }));
  writer.post<Draft>("/api/write/drafts", ({ id: person }, request) =>
    createDraft(context, person, newDraft.parse(request.body)),
  );
  writer.put<Draft>("/api/write/drafts/:draftId", ({ id: person }, request) => {
    const { draftId } = params.parse(request.params);
    return saveDraft(context, person, { draftId, ...savedDraft.parse(request.body) });
  });
  writer.delete("/api/write/drafts/:draftId", async ({ id: person }, request) => {
    await dropDraft(context, person, params.parse(request.params).draftId);
    return { ok: true };
  });
  writer.post<DemonstrationStored>(
    "/api/write/drafts/:draftId/submit",
    ({ id: person }, request) => {
      const { draftId } = params.parse(request.params);
      return submitDraft(context, person, { draftId, ...submitted.parse(request.body) });
    },
  );
  writer.get<OwnDemonstrations>("/api/write/demonstrations", async ({ id: rater }, request) => {
    const query = { rater, ...after.parse(request.query) };
    const { items, next } = await ownFeedback(context.database.db, "demonstration", query);
    return {
      next,
      items: items.map(({ feedbackId: demonstrationId, createdAt, body }) => {
        const { conversation, drafts: written } = body!.value as feedback.Demonstration;
        const turns = toTurns(conversation).map((each, i) => {
          return { ...each, draft: written.find(({ message }) => message === i)?.text ?? null };
        });
        return { demonstrationId, createdAt: createdAt!.toISOString(), turns };
      }),
    };
  });
}
