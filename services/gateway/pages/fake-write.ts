import type {
  AnswerEvent,
  CreateDraft,
  Draft,
  FlagConversation,
  OwnDemonstration,
  OwnFlag,
  SaveDraft,
  Turn,
  Vote,
} from "../src/http/api/index.js";
import { FakeFailure, type FakeRequest, type FakeRoute } from "./fake-server.js";
import { TRICKS } from "./fake-rank.js";

/** What the fake models answer; the second sentence is one of the tricks. */
const MODEL_ANSWER = `Start with *one* line a day. ${TRICKS.script}`;

const AT = "2026-03-04T10:20:30.000Z";

/** Answers of models, drafts, demonstrations, flags and votes, in memory. */
export function fakeWriting() {
  const answers = new Map<string, string>();
  const drafts = new Map<string, Draft>();
  const demonstrations: OwnDemonstration[] = [];
  const flags: FlagConversation[] = [];
  const votes: Vote[] = [];
  const asked: { turns: Turn[]; model: string }[] = [];
  /** Numbers of questions, from 1 on, whose answer has no words. */
  const silent = new Set<number>();

  const answer: FakeRoute = ({ body, response }) => {
    asked.push(body as { turns: Turn[]; model: string });
    const answerId = `answer-${asked.length}`;
    const isSecond = asked.at(-1)!.model === "m2";
    const spoken = isSecond ? `${MODEL_ANSWER} Begin today.` : MODEL_ANSWER;
    const text = silent.delete(asked.length) ? "" : spoken;
    answers.set(answerId, text);
    const words = text === "" ? [] : text.split(/(?<= )/);
    const events: AnswerEvent[] = [
      { type: "start", answerId },
      ...words.map((word) => ({ type: "text" as const, text: word })),
      { type: "done", answerId, text, finishReason: "stop" },
    ];
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const event of events) response.write(`data: ${JSON.stringify(event)}\n\n`);
    response.end();
    return undefined;
  };
  const draftOf = ({ params }: FakeRequest) => drafts.get(params["id"]!)!;
  const routes: Record<string, FakeRoute> = {
    "POST /write/answers": answer,
    "POST /break/answers": answer,
    "POST /chat/answers": answer,
    "GET /models": () => ({
      models: [
        { id: "m1", label: "First version", version: "ppo@1" },
        { id: "m2", label: `Second ${TRICKS.image}`, version: "ppo@2" },
      ],
    }),
    "POST /write/next": () => ({
      request: {
        requestId: "q1",
        turns: [{ role: "user", content: `Explain rain to a child. ${TRICKS.image}` }],
      },
    }),
    "GET /write/drafts": () => ({ drafts: [...drafts.values()].reverse() }),
    "POST /write/drafts": ({ body }) => {
      const { requestId, turns } = body as CreateDraft;
      const draftId = `d${drafts.size + 1}`;
      drafts.set(draftId, { draftId, requestId, turns, revision: 1, updatedAt: AT });
      return drafts.get(draftId);
    },
    "PUT /write/drafts/:id": (request) => {
      const { revision, turns } = request.body as SaveDraft;
      const draft = draftOf(request);
      if (draft.revision !== revision) throw otherWindow();
      Object.assign(draft, { turns, revision: revision + 1 });
      return draft;
    },
    "DELETE /write/drafts/:id": ({ params }) => ({ ok: drafts.delete(params["id"]!) }),
    "POST /write/drafts/:id/submit": (request) => {
      const draft = draftOf(request);
      const turns = draft.turns.map(({ role, content, answerId }) => ({
        ...{ role, content },
        draft: answerId === null ? null : answers.get(answerId)!,
      }));
      const demonstrationId = `x${demonstrations.length + 1}`;
      demonstrations.unshift({ demonstrationId, createdAt: AT, turns });
      drafts.delete(draft.draftId);
      return { demonstrationId };
    },
    "GET /write/demonstrations": () => ({ items: demonstrations, next: null }),
    "POST /break/flags": ({ body }) => ({ flagId: `f${flags.push(body as FlagConversation)}` }),
    "GET /break/flags": () => ({
      items: flags.map(({ category, comment, answerId }, i): OwnFlag => ({
        ...{ flagId: `f${i}`, createdAt: AT, category, comment },
        turns: [{ role: "assistant", content: answers.get(answerId)! }],
      })),
      next: null,
    }),
    "POST /chat/votes": ({ body }) => ({ voteId: `v${votes.push(body as Vote)}` }),
  };
  return { routes, drafts, demonstrations, flags, votes, asked, silent };
}

function otherWindow(): FakeFailure {
  return new FakeFailure(409, {
    code: "aborted",
    message: "This draft was changed in another window.",
    advice: "Load the page again to see its newest state.",
  });
}
