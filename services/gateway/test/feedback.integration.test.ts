import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { common, feedback } from "@stagecraft/contracts";
import { createRpcClient, createRpcServer } from "@stagecraft/rpc";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFeedbackService } from "../src/feedback/feedback-service.js";
import { openFeedbackStore } from "../src/store/feedback-store.js";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "stagecraft-feedback-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

type Client = Awaited<ReturnType<typeof start>>["client"];

async function start(ratersPerComparison = 1) {
  const store = await openFeedbackStore(dir);
  const server = createRpcServer();
  createFeedbackService({ store, ratersPerComparison }).register(server);
  const { port } = await server.start();
  const client = createRpcClient(feedback.FeedbackServiceClient, `127.0.0.1:${port}`);
  const close = async () => {
    client.close();
    await server.drain(1000);
    await store.close();
  };
  return { client, [Symbol.asyncDispose]: close };
}

/** A service on the test's folder, started for this and stopped again. */
async function serving<T>(work: (client: Client) => Promise<T>, raters = 1): Promise<T> {
  await using running = await start(raters);
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

describe("FeedbackService", () => {
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
      for (const call of refused) {
        await expect(call).rejects.toMatchObject({ code: "invalid_argument" });
      }
      expect((await list(client)).feedback).toEqual([]);
    });
  });
});

describe("openFeedbackStore()", () => {
  const file = () => join(dir, "feedback.jsonl");
  const idsOf = (client: Client) =>
    list(client).then((page) => page.feedback.map((f) => f.feedbackId));

  it("lets one process have a folder: a second gateway does not start and says who has it", async () => {
    await serving(async () => {
      await expect(openFeedbackStore(dir)).rejects.toMatchObject({
        code: "failed_precondition",
        message: expect.stringMatching(/in use by process \d+/) as string,
      });
    });
    await (await openFeedbackStore(dir)).close();
  });

  it("stores a comparison once however many callers put it up at the same time", async () => {
    const store = await openFeedbackStore(dir);
    const added = ["w", "x", "x", "x"].map((id) => store.addComparisons([comparison(id)]));
    expect(await Promise.all(added)).toEqual([1, 1, 0, 0]);
    await store.close();
    expect((await readFile(file(), "utf8")).trim().split("\n")).toHaveLength(2);
  });

  it("keeps a record whose line lost its end to an editor", async () => {
    await serving((client) => submit(client, "a", ranking(1, 2)));
    await truncate(file(), (await readFile(file())).length - 1);
    await serving(async (client) => {
      expect(await idsOf(client)).toEqual(["a"]);
      await submit(client, "b", ranking(1, 2));
    });
    await serving(async (client) => expect(await idsOf(client)).toEqual(["a", "b"]));
  });

  it("puts half a record aside instead of deleting it: somebody may have damaged the file", async () => {
    await serving((client) => submit(client, "a", ranking(1, 2)));
    const whole = await readFile(file(), "utf8");
    await truncate(file(), whole.length - 9);
    await serving(async (client) => expect(await idsOf(client)).toEqual([]));
    expect(await readFile(`${file()}.cut`, "utf8")).toBe(`${whole.slice(0, -9)}\n`);
  });

  it("counts bytes, not characters, where a byte is damaged, and names the line", async () => {
    await serving(async (client) => {
      await submit(client, "a", ranking(1, 2));
      await submit(client, "b", ranking(1, 2));
    });
    const bytes = await readFile(file());
    bytes[bytes.indexOf("answer")] = 0xff;
    await writeFile(file(), bytes);
    await expect(openFeedbackStore(dir)).rejects.toMatchObject({
      code: "data_loss",
      message: expect.stringContaining("feedback.jsonl:1") as string,
    });
    expect(await readFile(file())).toEqual(bytes);
  });

  it("cuts off a line that was being written, and names a damaged one", async () => {
    const file = join(dir, "feedback.jsonl");
    await serving(async (client) => {
      await submit(client, "a", ranking(1, 2));
      await submit(client, "b", ranking(1, 2));
    });
    const whole = await readFile(file, "utf8");
    await truncate(file, Buffer.byteLength(whole) - 5);
    await serving(async (client) => {
      expect((await list(client)).feedback.map((f) => f.feedbackId)).toEqual(["a"]);
      await submit(client, "c", ranking(1, 2));
    });
    expect((await readFile(file, "utf8")).split("\n")).toHaveLength(3);
    await appendFile(file, "{oops\n");
    await expect(openFeedbackStore(dir)).rejects.toMatchObject({
      code: "data_loss",
      message: expect.stringContaining("feedback.jsonl:3") as string,
    });
  });
});
