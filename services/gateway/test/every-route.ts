import type { PagesClient } from "@stagecraft/testing";
import { uuid } from "./http-kit.js";
import type { RouteWorld } from "./route-world.js";

export type Who = "nobody" | "rater" | "writer" | "operator" | "admin";

const EVERYBODY = ["nobody", "rater", "writer", "operator", "admin"] as const;
const SIGNED_IN = ["rater", "writer", "operator", "admin"] as const;
const RATERS = ["rater", "operator", "admin"] as const;
const WRITERS = ["writer", "operator", "admin"] as const;
const OPERATORS = ["operator", "admin"] as const;
const ADMINS = ["admin"] as const;

/** A request that the route takes from whoever may. */
export interface GoodRequest {
  /** Where the route has parameters. */
  path?: string;
  body?: unknown;
}

export interface RouteRow {
  /** Who gets 200; nobody else gets more than 401 or 403. */
  may: readonly Who[];
  /** `who` sends it; somebody with the right prepares what it needs where `who` has none. */
  request?(world: RouteWorld, who: PagesClient | undefined): Promise<GoodRequest> | GoodRequest;
}

const assignmentRoute = (
  action: string,
  body: (numAnswers: number) => object,
): NonNullable<RouteRow["request"]> => {
  return async (world, who) => {
    const { assignmentId, answers } = await world.assignmentOf(who);
    const path = `/api/rank/assignments/${assignmentId}/${action}`;
    return { path, body: { submissionId: uuid(), ...body(answers.length) } };
  };
};
const answerRoute = (more: object = {}): NonNullable<RouteRow["request"]> => {
  return () => ({ body: { turns: [{ role: "user", content: "Hi?" }], model: "", ...more } });
};
const draftRoute = (action: string, body?: object): NonNullable<RouteRow["request"]> => {
  return async (world, who) => ({
    path: `/api/write/drafts/${await world.draftOf(who)}${action}`,
    ...(body && { body: { ...(action && { submissionId: uuid() }), ...body } }),
  });
};
const goldRoute = (body?: object): NonNullable<RouteRow["request"]> => {
  return async (world) => {
    const path = `/api/operator/gold/${await world.newComparison()}`;
    return { path, ...(body && { body }) };
  };
};

const ofRun = (rest: string) => () => ({ path: `/api/runs/one${rest}` });

const NO_LIMITS = { requestsPerMinute: null, tokensPerMinute: null, concurrent: null };

/** Routes that are programs', who show keys and no session: tested in `test/openai` and `api.integration`. */
export const OF_PROGRAMS: readonly RegExp[] = [/ \/v1\/[a-z/]*\*?$/, / \/(get_reward|classify)$/];

/** Every route of the pages. A new route fails `routes.integration.test.ts` until it has a row. */
export const EVERY_ROUTE: Readonly<Record<string, RouteRow>> = {
  "GET /*": { may: EVERYBODY, request: () => ({ path: "/rank" }) },
  "GET /api/session": { may: SIGNED_IN },
  "GET /api/sign-in": { may: EVERYBODY },
  "POST /api/session": {
    may: EVERYBODY,
    request: async (world) => ({ body: { token: await world.newToken() } }),
  },
  "DELETE /api/session": { may: EVERYBODY },
  "POST /api/session/password": {
    may: EVERYBODY,
    request: async (world) => ({ body: await world.newPassword() }),
  },
  "PUT /api/session/password": {
    may: SIGNED_IN,
    request: () => ({ body: { password: "twelve or more" } }),
  },

  "POST /api/rank/next": { may: RATERS },
  "POST /api/rank/undo": {
    may: RATERS,
    async request(world, who) {
      const { assignmentId } = await world.assignmentOf(who);
      const skip = { submissionId: uuid(), reason: "unclear", comment: "" };
      await who?.call("POST", `/api/rank/assignments/${assignmentId}/skip`, skip);
      return {};
    },
  },
  "GET /api/rank/progress": { may: RATERS },
  "POST /api/rank/assignments/:assignmentId/submit": {
    may: RATERS,
    request: assignmentRoute("submit", (length) => {
      return { ranks: Array.from({ length }, (_, i) => i + 1), criteria: {}, elapsedMs: 5 };
    }),
  },
  "POST /api/rank/assignments/:assignmentId/skip": {
    may: RATERS,
    request: assignmentRoute("skip", () => ({ reason: "too-long", comment: "" })),
  },
  "POST /api/rank/assignments/:assignmentId/flag": {
    may: RATERS,
    request: assignmentRoute("flag", () => ({ answer: 0, category: "hate", comment: "" })),
  },

  "GET /api/models": { may: SIGNED_IN },
  "POST /api/write/answers": { may: WRITERS, request: answerRoute() },
  "POST /api/break/answers": { may: SIGNED_IN, request: answerRoute() },
  "POST /api/chat/answers": { may: SIGNED_IN, request: answerRoute({ sampling: {} }) },
  "POST /api/break/flags": {
    may: SIGNED_IN,
    async request(world, who) {
      const answerId = await world.answerOf(who);
      return { body: { submissionId: uuid(), answerId, category: "false", comment: "" } };
    },
  },
  "GET /api/break/flags": { may: SIGNED_IN },
  "POST /api/chat/votes": {
    may: SIGNED_IN,
    async request(world, who) {
      const answerId = await world.answerOf(who);
      const vote = { submissionId: uuid(), answerId, vote: "up", than: null, comment: "" };
      return { body: vote };
    },
  },

  "POST /api/write/next": { may: WRITERS },
  "GET /api/write/drafts": { may: WRITERS },
  "POST /api/write/drafts": {
    may: WRITERS,
    request: () => ({ body: { submissionId: uuid(), requestId: null, turns: [] } }),
  },
  "PUT /api/write/drafts/:draftId": {
    may: WRITERS,
    request: draftRoute("", { revision: 1, turns: [] }),
  },
  "DELETE /api/write/drafts/:draftId": { may: WRITERS, request: draftRoute("") },
  "POST /api/write/drafts/:draftId/submit": {
    may: WRITERS,
    request: draftRoute("/submit", { revision: 1 }),
  },
  "GET /api/write/demonstrations": { may: WRITERS },

  "GET /api/people": { may: OPERATORS },
  "GET /api/people/agreement": { may: OPERATORS },
  "GET /api/people/disagreements": { may: OPERATORS },
  "POST /api/people/invite": {
    may: OPERATORS,
    request: () => ({ body: { name: uuid(), roles: ["rater"] } }),
  },
  "POST /api/people/:personId/link": {
    may: OPERATORS,
    request: async (world) => ({ path: `/api/people/${await world.newRater()}/link` }),
  },
  "PATCH /api/people/:personId": {
    may: OPERATORS,
    async request(world) {
      return { path: `/api/people/${await world.newRater()}`, body: { active: false } };
    },
  },

  "GET /api/operator/overview": { may: OPERATORS },
  "GET /api/operator/settings": { may: OPERATORS },
  "PATCH /api/operator/settings": {
    may: OPERATORS,
    request: () => ({ body: { leaseMinutes: 30 } }),
  },
  "GET /api/operator/criteria": { may: OPERATORS },
  "PUT /api/operator/criteria": { may: OPERATORS, request: () => ({ body: { criteria: [] } }) },
  "GET /api/operator/queue": { may: OPERATORS },
  "POST /api/operator/queue/withdraw": {
    may: OPERATORS,
    request: async (world) => ({ body: { comparisonIds: [await world.newComparison()] } }),
  },
  "GET /api/operator/gold": { may: OPERATORS },
  "PUT /api/operator/gold/:comparisonId": {
    may: OPERATORS,
    request: goldRoute({ ranks: [1, 2, 3, 4] }),
  },
  "DELETE /api/operator/gold/:comparisonId": { may: OPERATORS, request: goldRoute() },
  "POST /api/operator/requests": {
    may: OPERATORS,
    request: () => ({ body: { requests: [{ turns: [{ role: "user", content: uuid() }] }] } }),
  },
  "GET /api/operator/flags": { may: OPERATORS },
  "GET /api/operator/audit": { may: OPERATORS },
  "GET /api/operator/export/:kind": {
    may: OPERATORS,
    request: () => ({ path: "/api/operator/export/rankings" }),
  },

  "GET /api/operator/keys": { may: ADMINS },
  "POST /api/operator/keys": {
    may: ADMINS,
    request: () => ({ body: { name: uuid(), scopes: ["generate"], ...NO_LIMITS } }),
  },
  "DELETE /api/operator/keys/:keyId": {
    may: ADMINS,
    request: async (world) => ({ path: `/api/operator/keys/${await world.newKey()}` }),
  },

  "GET /api/loop": { may: SIGNED_IN },
  "POST /api/loop/start": { may: OPERATORS },
  "POST /api/loop/stop": { may: OPERATORS },

  "GET /api/registry": { may: OPERATORS },
  "POST /api/registry/:name/promote": {
    may: OPERATORS,
    request: () => ({ path: "/api/registry/assistant/promote", body: { version: 1 } }),
  },
  "POST /api/registry/:name/rollback": {
    may: OPERATORS,
    request: async (world) => {
      await world.promoteTwo();
      return { path: "/api/registry/assistant/rollback" };
    },
  },
  "GET /api/registry/:name/:version/archive": {
    may: OPERATORS,
    request: () => ({ path: "/api/registry/assistant/1/archive" }),
  },
  "GET /api/runs": { may: OPERATORS },
  "GET /api/runs/stages": { may: OPERATORS },
  "GET /api/runs/report": { may: OPERATORS, request: () => ({ path: "/api/runs/report?ids=one" }) },
  "POST /api/runs": {
    may: OPERATORS,
    request: () => ({ body: { stage: "sft", name: "mine", config: { data: ["a.jsonl"] } } }),
  },
  "GET /api/runs/:runId": { may: OPERATORS, request: ofRun("") },
  "GET /api/runs/:runId/answers": { may: OPERATORS, request: ofRun("/answers") },
  "GET /api/runs/:runId/events": { may: OPERATORS, request: ofRun("/events") },
  "POST /api/runs/:runId/pause": { may: OPERATORS, request: ofRun("/pause") },
  "POST /api/runs/:runId/resume": { may: OPERATORS, request: ofRun("/resume") },
  "POST /api/runs/:runId/cancel": { may: OPERATORS, request: ofRun("/cancel") },
};
