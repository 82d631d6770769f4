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
import { personOf, type HttpContext } from "../context.js";
import { after, id, submissionId, turn } from "../fields.js";

const draftTurns = z.array(turn.extend({ answerId: id.nullable() })).max(200);
const newDraft = z.strictObject({ submissionId, requestId: id.nullable(), turns: draftTurns });
const savedDraft = z.strictObject({ revision: z.int().min(1), turns: draftTurns });
const submitted = z.strictObject({ submissionId, revision: z.int().min(1) });
const params = z.object({ draftId: id });

/** The Write page. */
export function writeRoutes(app: FastifyInstance, context: HttpContext): void {
  app.post("/api/write/next", (request): Promise<NextRequest> =>
    nextRequest(context, personOf(request, "writer").id),
  );
  app.get("/api/write/drafts", async (request): Promise<Drafts> => {
    return { drafts: await drafts(context, personOf(request, "writer").id) };
  });
  app.post("/api/write/drafts", (request): Promise<Draft> => {
    const { id: person } = personOf(request, "writer");
    return createDraft(context, person, newDraft.parse(request.body));
  });
  app.put("/api/write/drafts/:draftId", (request): Promise<Draft> => {
    const { id: person } = personOf(request, "writer");
    const { draftId } = params.parse(request.params);
    return saveDraft(context, person, { draftId, ...savedDraft.parse(request.body) });
  });
  app.delete("/api/write/drafts/:draftId", async (request) => {
    const { id: person } = personOf(request, "writer");
    await dropDraft(context, person, params.parse(request.params).draftId);
    return { ok: true };
  });
  app.post("/api/write/drafts/:draftId/submit", (request): Promise<DemonstrationStored> => {
    const { id: person } = personOf(request, "writer");
    const { draftId } = params.parse(request.params);
    return submitDraft(context, person, { draftId, ...submitted.parse(request.body) });
  });
  app.get("/api/write/demonstrations", async (request): Promise<OwnDemonstrations> => {
    const { id: rater } = personOf(request, "writer");
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
