import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { feedback, toConversation } from "@stagecraft/contracts";
import { readConversations, readRankings, writeRecords } from "@stagecraft/data";
import { createRpcClient, createRpcServer } from "@stagecraft/rpc";
import { createFeedbackService, exportRecords, openStore } from "@stagecraft/service-gateway";
import { pgliteTemplate } from "@stagecraft/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCli } from "../../src/app/run-cli.js";
import { openWorkshop, type Workshop } from "./case-kit.js";

const HOSTILE = `<script>alert(1)</script> [x](javascript:alert(1)) \x1b[2J\x9b2J "quoted"\nand more`;

let workshop: Workshop;
let address: string;
const closing: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  workshop = await openWorkshop();
  const database = await openStore({ template: await pgliteTemplate() });
  const server = createRpcServer();
  createFeedbackService({ database }).register(server);
  address = `127.0.0.1:${(await server.start()).port}`;
  closing.push(
    () => database.close(),
    () => server.drain(0),
  );
  await say(address);
});
afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await workshop[Symbol.asyncDispose]();
});

const talk = (answer: string) =>
  toConversation([
    { role: "user", content: HOSTILE },
    { role: "assistant", content: answer },
  ]);

/** Three rankings (one revised), two demonstrations, one flag. */
async function say(at: string) {
  await using client = createRpcClient(feedback.FeedbackServiceClient, at);
  const origin = { rater: "ann", kind: "qa", modelVersion: "v1" };
  const prompt = toConversation([{ role: "user", content: HOSTILE }]);
  const rank = (ranks: number[], answers = ["a", HOSTILE]) => {
    const ranking = { prompt, answers, ranks, criteria: [{ criterion: "clear", ranks: [2, 1] }] };
    return client.submitRanking({ feedbackId: "", origin, ranking, comparisonId: "" });
  };
  await rank([1, 2]);
  await rank([2, 1]);
  await rank([1, 1], ["b", "c"]);
  for (const answer of ["Fish.", HOSTILE]) {
    const demonstration = { conversation: talk(answer), drafts: [] };
    await client.submitDemonstration({ feedbackId: "", origin, demonstration });
  }
  const flag = { conversation: talk("No."), reason: 3, comment: HOSTILE, category: "unhelpful" };
  await client.submitFlag({ feedbackId: "", origin, flag });
}

async function run(...args: string[]) {
  const [out, err, input] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const io = { out, err, input, isTerminal: false, isInteractive: false, columns: () => 100 };
  const code = await runCli(args, io);
  return { code, out: String(out.read() ?? ""), err: String(err.read() ?? "") };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe("stagecraft export", () => {
  for (const format of ["jsonl", "parquet"]) {
    it(`writes ${format} that says what people said and that the stages read`, async () => {
      const file = (kind: string) => join(workshop.dir, `${kind}.${format}`);
      for (const [kind, count] of [
        ["rankings", 2],
        ["demonstrations", 2],
        ["flags", 1],
      ] as const) {
        const args = ["--feedback-address", address, "--out", file(kind)];
        const { code, out, err } = await run("export", kind, ...args);
        expect([code, out, err]).toEqual([0, `${file(kind)}: ${count} ${kind}\n`, ""]);
        expect((await run("data", "check", file(kind))).code).toBe(0);
      }
      const rankings = await all(readRankings(file("rankings")));
      const [first] = rankings;
      expect(first).toMatchObject({ answers: ["a", HOSTILE], ranks: [2, 1], rater: "ann" });
      expect(first!.prompt).toEqual([{ role: "user", content: HOSTILE }]);
      expect(first!.criteria).toBeUndefined(); // those would be ratings
      const conversations = await all(readConversations([file("demonstrations"), file("flags")]));
      const answers = conversations.map(({ messages }) => messages.at(-1)!.content);
      expect(answers).toEqual(["Fish.", HOSTILE, "No."]);
    });
  }

  it("says how many a stage cannot read, and keeps them", async () => {
    await using client = createRpcClient(feedback.FeedbackServiceClient, address);
    const prompt = toConversation([{ role: "user", content: "Ten?" }]);
    const answers = Array.from({ length: 10 }, (_, i) => `answer ${i}`);
    const ranking = { prompt, answers, ranks: answers.map(() => 1), criteria: [] };
    await client.submitRanking({ feedbackId: "", origin: undefined, ranking, comparisonId: "" });
    const out = join(workshop.dir, "r.jsonl");
    const { err } = await run("export", "rankings", "--feedback-address", address, "--out", out);
    expect(err).toContain("1 of them are no records for a stage");
    expect((await readFile(out, "utf8")).trim().split("\n")).toHaveLength(3);
  });

  it("leaves the file of before when the service fails on a later page", async () => {
    const out = await workshop.write("flags.jsonl", "before");
    const page = { feedback: [], nextPageToken: "1", hasMore: true };
    const reader = {
      listFeedback: ({ pageToken }: { pageToken: string }) =>
        pageToken === "" ? Promise.resolve(page) : Promise.reject(new Error("gone")),
    };
    await expect(writeRecords(out, exportRecords(reader, "flags"))).rejects.toThrow("gone");
    expect(await readFile(out, "utf8")).toBe("before");
  });

  it("makes no database where there is none, and no file", async () => {
    const [dir, out] = [join(workshop.dir, "mistyped"), join(workshop.dir, "none.jsonl")];
    const { code, err } = await run("export", "rankings", "--feedback-dir", dir, "--out", out);
    expect([code, err]).toEqual([1, expect.stringContaining(`${dir} holds nothing that people`)]);
    expect([dir, out].filter(existsSync)).toEqual([]);
  });

  it("wants one place to read and a name that fits the format", async () => {
    const cases = [
      [[], "say where people spoke"],
      [["--database-url", ""], "say where people spoke"],
      [["--feedback-address", address, "--feedback-dir", "x"], "say where people spoke, once"],
      [["--feedback-address", address, "--out", "x.csv"], "must end in .jsonl or .parquet"],
      [["--feedback-address", address, "--out", "x.jsonl", "--format", "parquet"], "in .parquet"],
    ] as const;
    for (const [args, says] of cases) {
      const { code, err } = await run("export", "rankings", ...args);
      expect([code, err.includes(says)]).toEqual([2, true]);
    }
  });
});
