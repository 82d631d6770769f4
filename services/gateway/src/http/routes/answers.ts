import type { FastifyInstance, FastifyReply } from "fastify";
import { z } from "zod";
import { storeFlag } from "../../feedback/flags.js";
import { toTurns } from "../../feedback/turns.js";
import { storeVote } from "../../feedback/votes.js";
import { modelIds } from "../../models/model-ids.js";
import { versionOf } from "../../models/models.js";
import { answerOf, askModel, takeStream, type Question } from "../../models/ask-model.js";
import type { feedback } from "@stagecraft/contracts";
import type {
  FlagCategory,
  FlagStored,
  OwnFlag,
  Paged,
  ServedModels,
  VoteStored,
} from "../api/index.js";
import { anybody, may, routesFor, type HttpContext } from "../context.js";
import { after, comment, flagCategory, id, openTurns, submissionId, text } from "../fields.js";
import { sendEvents } from "../sse.js";
import { whenClosed } from "../when-closed.js";
import { ownFeedback } from "../../feedback/own-feedback.js";

const question = z.strictObject({ turns: openTurns, model: text(128) });
const sampling = z.strictObject({
  temperature: z.number().min(0).max(2).optional(),
  topP: z.number().gt(0).max(1).optional(),
  maxTokens: z.int().min(1).max(4096).optional(),
  seed: z
    .int()
    .min(0)
    .max(2 ** 53 - 1)
    .nullable()
    .optional(),
});
const chatQuestion = question.extend({ sampling });
const flag = z.strictObject({ submissionId, answerId: id, category: flagCategory, comment });
const vote = z.strictObject({
  submissionId,
  answerId: id,
  vote: z.enum(["up", "down", "better"]),
  than: id.nullable(),
  comment: text(1000),
});

/** Models that answer: for Write, for Break it, and to chat with. */
export function answerRoutes(app: FastifyInstance, context: HttpContext): void {
  const { database, models } = context;
  const writer = routesFor(app, "writer");
  const ids = modelIds(models);
  const stream = async (reply: FastifyReply, asked: Omit<Question, "signal">) => {
    const ask = { ...asked, model: ids.nameOf(asked.model) };
    const release = takeStream(ask.person);
    const stop = new AbortController();
    whenClosed(reply, () => stop.abort());
    try {
      await sendEvents(reply, askModel(context, { ...ask, signal: stop.signal }));
    } finally {
      stop.abort();
      release();
    }
  };

  app.get("/api/models", async (request): Promise<ServedModels> => {
    const person = anybody(request);
    const seesNames = may(person, "operator");
    const names = [...models.policies().keys()];
    const served = names.map(async (name, i) => {
      const label = names.length === 1 ? "The assistant" : `Assistant ${i + 1}`;
      const version = seesNames ? await versionOf(models, name) : null;
      return { id: ids.idOf(name), label: seesNames ? name : label, version };
    });
    return { models: await Promise.all(served) };
  });

  writer.post("/api/write/answers", ({ id: person }, request, reply) =>
    stream(reply, { person, purpose: "write", ...question.parse(request.body), sampling: {} }),
  );
  app.post("/api/break/answers", (request, reply) => {
    const { id: person } = anybody(request);
    return stream(reply, {
      person,
      purpose: "break",
      ...question.parse(request.body),
      sampling: {},
    });
  });
  app.post("/api/chat/answers", (request, reply) => {
    const { id: person } = anybody(request);
    const { sampling: given, ...asked } = chatQuestion.parse(request.body);
    const sampling = Object.fromEntries(Object.entries(given).filter(([, v]) => v !== undefined));
    return stream(reply, { person, purpose: "chat", ...asked, sampling });
  });

  app.post("/api/break/flags", async (request): Promise<FlagStored> => {
    const { id: rater } = anybody(request);
    const { submissionId: flagId, answerId, ...given } = flag.parse(request.body);
    const answer = await answerOf(context, answerId, rater);
    const turns = [...answer.turns, { role: "assistant" as const, content: answer.text }];
    const modelVersion = answer.model_version;
    return storeFlag(context, { flagId, rater, turns, modelVersion, ...given });
  });
  app.get("/api/break/flags", async (request): Promise<Paged<OwnFlag>> => {
    const { id: rater } = anybody(request);
    const page = await ownFeedback(database.db, "flag", { rater, ...after.parse(request.query) });
    return {
      next: page.next,
      items: page.items.map(({ feedbackId, createdAt, body }) => {
        const { conversation, category, comment } = body!.value as feedback.Flag;
        const turns = toTurns(conversation);
        const [flagId, at] = [feedbackId, createdAt!.toISOString()];
        return { flagId, createdAt: at, category: category as FlagCategory, comment, turns };
      }),
    };
  });

  app.post("/api/chat/votes", (request): Promise<VoteStored> => {
    const { id: person } = anybody(request);
    return storeVote(context, person, vote.parse(request.body));
  });
}
