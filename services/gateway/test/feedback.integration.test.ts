import { common, feedback } from "@stagecraft/contracts";
import { createRpcClient, createRpcServer } from "@stagecraft/rpc";
import { postgresBin, startPostgres } from "@stagecraft/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createFeedbackService } from "../src/feedback/feedback-service.js";
import type { Settings } from "../src/http/api/index.js";
import type { Database } from "../src/store/database.js";
import { createFeedbackStore } from "../src/store/feedback-store.js";
import { openStore } from "../src/store/open-store.js";
import { emptyDatabase, openTestDatabase } from "./databases.js";

const bin = await postgresBin();

let database: Database;
let clockMs = Date.parse("2026-01-01T00:00:00Z");

type Client = Awaited<ReturnType<typeof start>>["client"];

async function start(defaults: Partial<Settings>) {
  const server = createRpcServer();
  const now = () => new Date(clockMs);
  createFeedbackService({ database, defaults: { goldShare: 0, ...defaults }, now }).register(
    server,
  );
  const { port } = await server.start();
  const client = createRpcClient(feedback.FeedbackServiceClient, `127.0.0.1:${port}`);
  const close = async () => {
    client.close();
    await server.drain(1000);
  };
  return { client, [Symbol.asyncDispose]: close };
}

/** A service on the test's database, started for this and stopped again. */
async function serving<T>(
  work: (client: Client) => Promise<T>,
  ratersPerComparison = 1,
  settings: Partial<Settings> = {},
): Promise<T> {
  await using running = await start({ ratersPerComparison, ...settings });
  return await work(running.client);
}

const user = (content: string): common.Conversation => ({
  messages: [{ role: common.Role.USER, content }],
});
const said = (content: string, answer: string): common.Conversation => ({
  messages: [...user(content).messages, { role: common.Role.ASSISTANT, content: answer }],
});
const ranking = (...ranks: number[]): feedback.Ranking => ({
  prompt: user("Hi"),
  answers: ranks.map((_, i) => `answer ${i}`),
  ranks,
  criteria: [],
});
const submit = (client: Client, feedbackId: string, value: feedback.Ranking) =>
  client.submitRanking({ feedbackId, ranking: value, origin: undefined, comparisonId: "" });
const list = (client: Client, pageToken = "", kind = feedback.FeedbackKind.UNSPECIFIED) =>
  client.listFeedback({ kind, pageSize: 2, pageToken, includeRevised: false });
const comparison = (comparisonId: string): feedback.Comparison => ({
  comparisonId,
  prompt: user(`What is ${comparisonId}?`),
  answers: ["this", "that", "those"],
  kind: "question",
  modelVersion: "sft@3",
  batch: "",
});
/** Ids of the comparisons that there are for somebody. */
const open = async (client: Client, options: Partial<feedback.ListComparisonsRequest> = {}) => {
  const request = { includeRanked: false, pageSize: 0, pageToken: "", rater: "", ...options };
  const page = await client.listComparisons(request);
  expect(page.nextPageToken).toBe("");
  return page.comparisons.map((c) => c.comparisonId);
};
/** Somebody ranks a comparison. */
const rank = (client: Client, comparisonId: string, rater: string, ...ranks: number[]) =>
  client.submitRanking({
    feedbackId: "",
    comparisonId,
    ranking: { prompt: undefined, answers: [], ranks, criteria: [] },
    origin: { rater, kind: "", modelVersion: "" },
  });

const databases = [
  {
    name: "PGlite",
    open: async () => ({ database: await openTestDatabase(), stop: async () => {} }),
  },
  {
    name: "PostgreSQL",
    open: async () => {
      const server = await startPostgres(bin!);
      const stop = () => server[Symbol.asyncDispose]();
      return { database: await openStore({ url: server.url }), stop };
    },
  },
];

describe.each(databases.slice(0, bin ? 2 : 1))("FeedbackService on $name", ({ open: openIt }) => {
  let opened: Awaited<ReturnType<typeof openIt>>;
  beforeAll(async () => {
    opened = await openIt();
    database = opened.database;
  });
  beforeEach(() => emptyDatabase(database.db));
  afterAll(async () => {
    await opened.database.close();
    await opened.stop();
  });

  it("keeps every kind of feedback in order of arrival, over a restart", async () => {
    const stored = await serving(async (client) => {
      await submit(client, "a", ranking(2, 1));
      const { feedback: chosen } = await submit(client, "", ranking(1, 1, 2));
      expect(chosen!.feedbackId).toMatch(/^[0-9a-f-]{36}$/);
      const conversation = said("Hi", "Hello!");
      await client.submitDemonstration({
        feedbackId: "d",
        origin: { rater: "ann", modelVersion: "", kind: "greeting" },
        demonstration: { conversation, drafts: [] },
      });
      const flag = { conversation, reason: feedback.FlagReason.FALSE, comment: "no", category: "" };
      await client.submitFlag({ feedbackId: "f", origin: undefined, flag });
      return chosen!.feedbackId;
    });
    await serving(async (client) => {
      const first = await list(client);
      expect(first.feedback.map((f) => f.feedbackId)).toEqual(["a", stored]);
      expect(first.hasMore).toBe(true);
      const second = await list(client, first.nextPageToken);
      expect(second.feedback.map((f) => f.body?.$case)).toEqual(["demonstration", "flag"]);
      expect(second.feedback[0]!.origin).toMatchObject({ rater: "ann", kind: "greeting" });
      expect(second.hasMore).toBe(false);
      expect((await list(client, second.nextPageToken)).feedback).toEqual([]);
      await submit(client, "late", ranking(1, 2));
      const late = await list(client, second.nextPageToken);
      expect(late.feedback.map((f) => f.feedbackId)).toEqual(["late"]);
      const flags = await list(client, "2", feedback.FeedbackKind.FLAG);
      expect(flags.feedback.map((f) => f.feedbackId)).toEqual(["f"]);
    });
  });

  it("counts a repeat once and refuses other feedback under its id", async () => {
    await serving(async (client) => {
      const both = await Promise.all([1, 2].map(() => submit(client, "a", ranking(2, 1))));
      expect(both[0]!.feedback).toEqual(both[1]!.feedback);
      expect((await list(client)).feedback).toHaveLength(1);
      await expect(submit(client, "a", ranking(1, 2))).rejects.toMatchObject({
        code: "already_exists",
      });
    });
  });

  it("hands out comparisons until somebody ranks them, and fills the ranking from them", async () => {
    await serving(async (client) => {
      const comparisons = [comparison("x"), comparison("y")];
      expect(await client.addComparisons({ comparisons })).toEqual({ numAdded: 2 });
      expect(await client.addComparisons({ comparisons })).toEqual({ numAdded: 0 });
      const { feedback: kept } = await client.submitRanking({
        feedbackId: "r",
        comparisonId: "x",
        ranking: { prompt: undefined, answers: [], ranks: [2, 1, 3], criteria: [] },
        origin: { rater: "bob", kind: "", modelVersion: "" },
      });
      expect(kept!.body!.value).toMatchObject({ answers: ["this", "that", "those"] });
      expect(kept!.origin).toEqual({ rater: "bob", kind: "question", modelVersion: "sft@3" });
      expect(await open(client)).toEqual(["y"]);
    });
    await serving(async (client) => {
      expect(await open(client)).toEqual(["y"]);
      expect(await open(client, { includeRanked: true })).toEqual(["x", "y"]);
      const unknown = client.submitRanking({
        feedbackId: "",
        comparisonId: "z",
        ranking: ranking(1, 2),
        origin: undefined,
      });
      await expect(unknown).rejects.toMatchObject({ code: "not_found" });
    });
  });

  it("keeps a comparison that one rater ranked open for the others, as many as configured", async () => {
    await serving(async (client) => {
      await client.addComparisons({ comparisons: [comparison("x"), comparison("y")] });
      await rank(client, "x", "ann", 1, 2, 3);
      expect(await open(client, { rater: "ann" })).toEqual(["y"]);
      expect(await open(client, { rater: "bob" })).toEqual(["x", "y"]);
      await rank(client, "x", "ann", 2, 1, 3); // one person, whatever often
      expect(await open(client)).toEqual(["x", "y"]);
      await rank(client, "x", "", 1, 2, 3);
      expect(await open(client, { rater: "bob" })).toEqual(["y"]);
    }, 2);
  });

  it("counts a rater's second ranking in place of the first, also over a restart", async () => {
    const ranks = async (client: Client, includeRevised: boolean) => {
      const page = { kind: feedback.FeedbackKind.RANKING, pageSize: 0, pageToken: "" };
      const { feedback: entries } = await client.listFeedback({ ...page, includeRevised });
      return entries.map((f) => (f.body!.value as feedback.Ranking).ranks.join(""));
    };
    await serving(async (client) => {
      await client.addComparisons({ comparisons: [comparison("x"), comparison("y")] });
      await rank(client, "x", "ann", 1, 2, 3);
      await rank(client, "y", "ann", 3, 2, 1);
      await rank(client, "x", "bob", 1, 3, 2);
      await rank(client, "x", "", 1, 1, 1);
      await rank(client, "x", "ann", 2, 1, 3);
      await rank(client, "x", "", 2, 2, 2); // nameless: perhaps somebody else
      expect(await ranks(client, false)).toEqual(["321", "132", "111", "213", "222"]);
      expect(await ranks(client, true)).toHaveLength(6);
    });
    await serving(async (client) => {
      expect(await ranks(client, false)).toEqual(["321", "132", "111", "213", "222"]);
    });
  });

  it("binds a comparison_id to its answers: others under it are refused, all of the call", async () => {
    await serving(async (client) => {
      const first = comparison("x");
      await client.addComparisons({ comparisons: [first] });
      const other = { ...first, answers: ["mine", "is", "better"] };
      for (const comparisons of [
        [comparison("new"), other],
        [comparison("new"), { ...comparison("new"), kind: "other" }],
      ]) {
        await expect(client.addComparisons({ comparisons })).rejects.toMatchObject({
          code: "already_exists",
          message: expect.stringContaining(comparisons[1]!.comparisonId) as string,
        });
      }
      const page = { includeRanked: true, rater: "", pageSize: 0, pageToken: "" };
      expect((await client.listComparisons(page)).comparisons).toEqual([first]);
    });
  });

  it("stores only what can be read again: sizes are limited, pages hold so many bytes", async () => {
    const MIB = 1024 * 1024;
    await serving(async (client) => {
      const sized = (bytes: number) => ({ ...ranking(1, 2), answers: ["a", "b".repeat(bytes)] });
      for (const bytes of [3.99 * MIB, 2 * MIB]) {
        await expect(submit(client, "big", sized(bytes))).rejects.toMatchObject({
          code: "invalid_argument",
          message: expect.stringContaining("at most 2097152 bytes") as string,
        });
      }
      const wide = { ...comparison("wide"), answers: ["a", "b".repeat(MIB)] };
      await expect(client.addComparisons({ comparisons: [wide] })).rejects.toMatchObject({
        code: "invalid_argument",
      });
      const ids = ["1", "2", "3", "4"];
      for (const id of ids) await submit(client, id, sized(1.9 * MIB));
      const read: string[] = [];
      for (let pageToken = "", hasMore = true; hasMore;) {
        const page = await client.listFeedback({
          kind: 0,
          pageSize: 0,
          pageToken,
          includeRevised: true,
        });
        read.push(...page.feedback.map(({ feedbackId }) => feedbackId));
        ({ nextPageToken: pageToken, hasMore } = page);
      }
      expect(read).toEqual(ids);
    });
  });

  it("refuses what makes no sense, and stores nothing of it", async () => {
    await serving(async (client) => {
      const refused = [
        submit(client, "a", ranking(1)),
        submit(client, "a", ranking(1, 3)),
        submit(client, "x".repeat(129), ranking(1, 2)),
        client.addComparisons({
          comparisons: [
            {
              comparisonId: "",
              prompt: user("?"),
              answers: ["a", "b"],
              kind: "",
              modelVersion: "",
              batch: "",
            },
          ],
        }),
        list(client, "nonsense"),
        list(client, "7"),
        client.listFeedback({ kind: 0, pageSize: 1001, pageToken: "", includeRevised: false }),
      ];
      for (const outcome of await Promise.allSettled(refused)) {
        expect(outcome).toMatchObject({ reason: { code: "invalid_argument" } });
      }
      expect((await list(client)).feedback).toEqual([]);
    });
  });

  it("stores a comparison once however many callers put it up at the same time", async () => {
    const store = createFeedbackStore(database);
    const added = ["w", "x", "x", "x"].map((id) => store.addComparisons([comparison(id)]));
    const numbers = await Promise.all(added);
    expect(numbers.slice(1).sort()).toEqual([0, 0, 1]);
    expect(numbers[0]).toBe(1);
  });

  it("keeps every character, NUL and half a surrogate pair too", async () => {
    await serving(async (client) => {
      const text = "nul \u0000, \u202e, 🦊, \\u0000";
      await submit(client, "a", { ...ranking(1, 2), answers: [text, "b"] });
      const { feedback: listed } = await list(client);
      expect(listed[0]!.body!.value).toMatchObject({ answers: [text, "b"] });
    });
  });

  const next = async (client: Client, rater: string) =>
    (await client.nextAssignment({ rater })).assignment;

  it("gives each comparison to so many people, to nobody twice, and keeps what somebody holds", async () => {
    await serving(async (client) => {
      await client.addComparisons({ comparisons: [comparison("x"), comparison("y")] });
      const given = new Map<string, string[]>();
      for (const rater of ["ann", "bob", "cy", "dee"]) {
        for (let held; (held = await next(client, rater));) {
          const id = held.comparison!.comparisonId;
          expect(await next(client, rater)).toEqual(held);
          given.set(id, [...(given.get(id) ?? []), rater]);
          await rank(client, id, rater, 1, 2, 3);
        }
      }
      expect(Object.fromEntries(given)).toEqual({ x: ["ann", "bob"], y: ["ann", "bob"] });
      expect(await client.getQueueStatus({ batch: "" })).toMatchObject({ numDone: 2, numOpen: 0 });
    }, 2);
  });

  it("gives the place of one who left to somebody else when the time is up, and not before", async () => {
    await serving(async (client) => {
      await client.addComparisons({ comparisons: [comparison("x")] });
      expect((await next(client, "ann"))?.comparison?.comparisonId).toBe("x");
      expect(await next(client, "bob")).toBeUndefined();
      clockMs += 31 * 60_000;
      expect((await next(client, "bob"))?.comparison?.comparisonId).toBe("x");
      expect(await next(client, "ann")).toBeUndefined();
    });
  });

  it("gives nobody what he skipped, or what is withdrawn, by id or by batch", async () => {
    await serving(async (client) => {
      const put = (id: string, batch: string) => ({ ...comparison(id), batch });
      const comparisons = [put("x", "1"), put("y", "1"), put("z", "2")];
      await client.addComparisons({ comparisons });
      const held = await next(client, "ann");
      await client.skipAssignment({ assignmentId: held!.assignmentId, reason: "unclear" });
      expect((await next(client, "ann"))?.comparison?.comparisonId).toBe("y");
      const first = await client.withdrawComparisons({ comparisonIds: ["y", "?"], batch: "" });
      expect(first).toEqual({ numWithdrawn: 1 });
      expect((await next(client, "ann"))?.comparison?.comparisonId).toBe("z");
      expect(await client.withdrawComparisons({ comparisonIds: [], batch: "1" })).toEqual({
        numWithdrawn: 1,
      });
      expect(await open(client)).toEqual(["z"]);
      const status = { numOpen: 0, numDone: 0, numWithdrawn: 2, numHeld: 0, numRankings: 0 };
      expect(await client.getQueueStatus({ batch: "1" })).toMatchObject(status);
      expect(await client.getQueueStatus({ batch: "2" })).toMatchObject({ numOpen: 1, numHeld: 1 });
    });
  });

  it("mixes gold items in, once for each person, and lists none of their rankings", async () => {
    await serving(
      async (client) => {
        await client.addComparisons({ comparisons: [comparison("g"), comparison("x")] });
        await expect(client.setGold({ comparisonId: "g", ranks: [1, 1, 1] })).rejects.toMatchObject(
          { code: "invalid_argument" },
        );
        await client.setGold({ comparisonId: "g", ranks: [1, 2, 2] });
        for (const rater of ["ann", "bob"]) {
          expect((await next(client, rater))?.comparison?.comparisonId).toBe("g");
          await rank(client, "g", rater, 1, 2, 3);
        }
        expect((await next(client, "ann"))?.comparison?.comparisonId).toBe("x");
        await rank(client, "x", "ann", 1, 2, 3);
        const { feedback: listed } = await list(client);
        expect(listed.map(({ comparisonId }) => comparisonId)).toEqual(["x"]);
      },
      1,
      { goldShare: 1 },
    );
  });

  it("lists demonstrations with the model's draft, and flags with their category", async () => {
    await serving(async (client) => {
      const conversation = said("Hi", "Hello!");
      const drafts = [{ message: 1, text: "Hallo", modelVersion: "sft@1" }];
      const demonstration = { conversation, drafts };
      await client.submitDemonstration({ feedbackId: "d", origin: undefined, demonstration });
      const flag = { conversation, reason: 1, comment: "", category: "privacy" };
      await client.submitFlag({ feedbackId: "f", origin: undefined, flag });
      const page = { pageSize: 0, pageToken: "" };
      const [demonstrations, flags] = [
        await client.listDemonstrations(page),
        await client.listFlags(page),
      ];
      expect(demonstrations.feedback.map((f) => f.body!.value)).toEqual([demonstration]);
      expect(flags.feedback.map((f) => f.body!.value)).toEqual([flag]);
      expect(flags).toMatchObject({ nextPageToken: "2", hasMore: false });
    });
  });
});
