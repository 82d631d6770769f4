import type {
  Agreement,
  ApiKey,
  CreateApiKey,
  Disagreements,
  GoldItem,
  InvitePerson,
  LoopStatus,
  Overview,
  People,
  Person,
  QueueItem,
  Settings,
} from "../src/http/api/index.js";
import type { FakeRoute } from "./fake-server.js";
import { TRICKS } from "./fake-rank.js";

const AT = "2026-03-04T10:20:30.000Z";

const OVERVIEW: Overview = {
  comparisons: { open: 188, done: 212, withdrawn: 12, gold: 9 },
  leases: 3,
  rankings: 647,
  demonstrations: 31,
  flags: 14,
  skips: [
    { reason: "not-my-field", count: 17 },
    { reason: "unclear", count: 5 },
  ],
  rankingsByHour: [
    0, 0, 2, 5, 9, 14, 22, 31, 40, 44, 38, 30, 12, 8, 20, 33, 41, 39, 27, 15, 6, 2, 0, 1,
  ],
};

const LOOP: LoopStatus = {
  state: "waiting",
  round: 2,
  text: "Round 2 waits for 188 more rankings.",
  waitsFor: [
    { what: "rankings", have: 212, needed: 400 },
    { what: "held-out pairs", have: 61, needed: 60 },
  ],
  progress: null,
  failure: null,
  rounds: [
    {
      ...{ round: 1, finishedAt: AT, newRankings: 400, rewardAccuracy: 0.81, promoted: true },
      ...{ evalScore: 1.42, policyVersion: "ppo@3" },
    },
  ],
  automatic: true,
  silentSeconds: 45 * 60,
  isRunning: false,
};

const person = (i: number, change: Partial<Person> = {}): Person => ({
  ...{ personId: `p${i}`, name: ["Ada", "Ben", "חנה", "Dora"][i % 4]!, roles: ["rater", "writer"] },
  ...{ active: true, createdAt: AT, lastSeenAt: AT },
  work: {
    ...{
      rankings: 90 + 17 * i,
      demonstrations: i,
      flags: 2,
      skips: i,
      secondsPerRanking: 31 + 9 * i,
    },
    ...{ goldAccuracy: 0.93 - i / 20, goldPairs: 40 },
  },
  ...change,
});

const QUEUE_ITEM: QueueItem = {
  ...{
    comparisonId: "c1",
    createdAt: AT,
    state: "open",
    modelVersion: "ppo@3",
    kind: "",
    gold: false,
  },
  request: [{ role: "user", content: `Why is the sky blue? ${TRICKS.script}` }],
  answers: ["Because of the air.", `It is not. ${TRICKS.image}`, TRICKS.link],
  ...{ ranked: 1, held: 1, skipped: 0, wanted: 3 },
};

/** What operators see, in memory. */
export function fakeOperating() {
  const people = [person(0, { roles: ["admin"], personId: "p1" }), person(1), person(2), person(3)];
  const invited: InvitePerson[] = [];
  const withdrawn: string[] = [];
  const gold: GoldItem[] = [];
  const keys: ApiKey[] = [
    {
      ...{ keyId: "k1", name: `lm-eval ${TRICKS.image}`, prefix: "sc-Ab3dE", scopes: ["generate"] },
      ...{ requestsPerMinute: 600, tokensPerMinute: null, concurrent: 8 },
      ...{ createdAt: AT, lastUsedAt: AT },
    },
  ];
  let settings: Settings = {
    ...{ ratersPerComparison: 3, leaseMinutes: 30, goldShare: 0.1, automaticRounds: true },
  };
  let loop = LOOP;
  const link = (personId: string) => ({
    ...{ personId, link: `http://127.0.0.1:8080/sign-in#${personId}-token`, expiresAt: AT },
  });
  const agreement: Agreement = {
    criteria: [
      { criterion: "overall", alpha: 0.74, kendallW: 0.81, comparisons: 96, people: 4 },
      { criterion: "honest", alpha: null, kendallW: null, comparisons: 1, people: 2 },
    ],
  };
  const disagreements: Disagreements = {
    disagreements: [
      {
        ...{ comparisonId: "c9", request: QUEUE_ITEM.request, answers: QUEUE_ITEM.answers },
        kendallW: 0.11,
        rankings: [
          { personId: "p2", name: "Ben", ranks: [1, 2, 3] },
          { personId: "p3", name: `Dora ${TRICKS.image}`, ranks: [3, 2, 1] },
        ],
      },
    ],
  };
  const page = (items: unknown[]) => ({ items, next: null });
  const routes: Record<string, FakeRoute> = {
    "GET /loop": () => loop,
    "POST /loop/start": () =>
      (loop = {
        ...LOOP,
        isRunning: true,
        state: "reward",
        text: "Round 2 trains its reward model.",
      }),
    "GET /operator/overview": () => OVERVIEW,
    "GET /operator/settings": () => settings,
    "PATCH /operator/settings": ({ body }) => (settings = { ...settings, ...(body as Settings) }),
    "GET /operator/criteria": () => ({
      criteria: [
        { id: "helpful", name: "Helpful", question: "Which answer helps most?", ask: "off" },
        { id: "honest", name: "Honest", question: "Which answer is true?", ask: "optional" },
      ],
    }),
    "PUT /operator/criteria": ({ body }) => body,
    "GET /operator/queue": ({ query }) => page(query.get("state") === "open" ? [QUEUE_ITEM] : []),
    "POST /operator/queue/withdraw": ({ body }) => {
      const ids = (body as { comparisonIds: string[] }).comparisonIds;
      withdrawn.push(...ids);
      return { numWithdrawn: ids.length };
    },
    "GET /operator/gold": () => ({ items: gold }),
    "PUT /operator/gold/:id": ({ body, params }) => {
      const { request, answers } = QUEUE_ITEM;
      const { ranks } = body as { ranks: number[] };
      const item = {
        comparisonId: params["id"]!,
        request,
        answers,
        ranks,
        ranked: 0,
        accuracy: null,
      };
      gold.push(item);
      return item;
    },
    "POST /operator/requests": ({ body }) => ({
      numAdded: (body as { requests: unknown[] }).requests.length,
    }),
    "GET /operator/flags": () =>
      page([
        {
          ...{ flagId: "f1", createdAt: AT, by: `Ben ${TRICKS.image}`, category: "violence" },
          ...{ comment: TRICKS.script, modelVersion: "ppo@3", turns: QUEUE_ITEM.request },
        },
      ]),
    "GET /operator/audit": () =>
      page([
        { at: AT, who: "Ada", action: "person.invite", subject: "p2", details: { roles: "rater" } },
      ]),
    "GET /operator/keys": () => ({ keys }),
    "POST /operator/keys": ({ body }) => {
      const about = { keyId: `k${keys.length + 1}`, prefix: "sc-Zy9xW" };
      const key = { ...(body as CreateApiKey), ...about, createdAt: AT, lastUsedAt: null };
      keys.push(key);
      return { key, secret: "sc-Zy9xW-shown-once" };
    },
    "DELETE /operator/keys/:id": ({ params }) => {
      const index = keys.findIndex(({ keyId }) => keyId === params["id"]);
      keys.splice(index, 1);
      return { ok: true };
    },
    "GET /people": (): People => ({ people }),
    "POST /people/invite": ({ body }) => {
      invited.push(body as InvitePerson);
      people.push(person(people.length, { ...(body as InvitePerson), personId: "p9" }));
      return link("p9");
    },
    "POST /people/:id/link": ({ params }) => link(params["id"]!),
    "PATCH /people/:id": ({ params, body }) => {
      const found = people.find(({ personId }) => personId === params["id"])!;
      return Object.assign(found, body);
    },
    "GET /people/agreement": () => agreement,
    "GET /people/disagreements": () => disagreements,
  };
  return { routes, invited, withdrawn, gold, keys, settings: () => settings };
}
