import { describe, expect, it } from "vitest";
import { collect, tempDir } from "../test/temp-dir.js";
import { readConversations } from "./conversations.js";
import { nameRecord } from "./origin.js";
import { readPrompts } from "./prompts.js";
import { readRankings, writeRankings } from "./rankings.js";
import type { BadRecord, Ranking } from "./types.js";

const lines = (...records: unknown[]) => records.map((record) => JSON.stringify(record)).join("\n");
const user = (content: string) => ({ role: "user" as const, content });
const assistant = (content: string) => ({ role: "assistant" as const, content });

describe("readConversations()", () => {
  it("reads messages, instruction records and self-instruct tasks", async () => {
    await using files = await tempDir({
      "a.jsonl": lines(
        { id: 7, kind: "talk", messages: [user("Hi"), assistant("Hello")], extra: 1 },
        { instruction: "Add", input: "1 2", output: "3", system: "Be short" },
        {
          id: "t",
          name: "sum",
          instruction: "Add",
          instances: [
            { input: "", output: "a" },
            { input: "x", output: "b" },
          ],
        },
      ),
    });
    expect(await collect(readConversations(files.dir))).toEqual([
      { id: "7", kind: "talk", messages: [user("Hi"), assistant("Hello")] },
      { messages: [{ role: "system", content: "Be short" }, user("Add\n\n1 2"), assistant("3")] },
      { id: "t", kind: "sum", messages: [user("Add"), assistant("a")] },
      { id: "t/1", kind: "sum", messages: [user("Add\n\nx"), assistant("b")] },
    ]);
  });

  it("keeps the weight 0 of answers that are context only", async () => {
    const context = { ...assistant("b"), weight: 0 as const };
    const given = [
      { ...user("a"), weight: 0 },
      context,
      user("c"),
      { ...assistant("d"), weight: 1 },
    ];
    await using files = await tempDir({ "a.jsonl": lines({ messages: given }) });
    const messages = [user("a"), context, user("c"), assistant("d")];
    expect(await collect(readConversations(files.dir))).toEqual([{ messages }]);
  });

  for (const [record, reason] of [
    [[], "the record must be an object"],
    [{ text: "x" }, `needs "messages", "conversations", "prompt" with "completion"`],
    [{ messages: [] }, "with at least one"],
    [{ messages: [user("x")] }, "no message of the assistant"],
    [{ messages: [{ role: "bot", content: "x" }] }, `messages[0].role must be "system"`],
    [
      { messages: [user("x"), { role: "assistant" }] },
      "messages[1].content must be a string, not missing",
    ],
    [{ messages: [user("x"), assistant(" \n")] }, "messages[1].content, an answer, is empty"],
    [
      { messages: [user("x"), assistant(""), user("y"), assistant("z")] },
      "messages[1].content, an answer, is empty",
    ],
    [
      { messages: [user("x"), { ...assistant("y"), weight: 0 }] },
      "no message of the assistant to learn from",
    ],
    [
      { messages: [user("x"), { ...assistant("y"), weight: 0.5 }] },
      "messages[1].weight must be 0 (not learnt) or 1, not 0.5",
    ],
    [
      { messages: [{ ...user("x"), weight: 1 }, assistant("y")] },
      "messages[0].weight is 1, but only messages of the assistant are learnt",
    ],
    [
      { messages: [user("x"), { role: "system", content: "" }] },
      "a system message must come first",
    ],
    [{ instruction: "x" }, `"output" must be a string`],
    [{ instruction: "x", output: " " }, `"output" is empty`],
    [{ instruction: "x", instances: [] }, `"instances" must be a list`],
  ] as const) {
    it(`names file, line and reason of ${JSON.stringify(record)}`, async () => {
      await using files = await tempDir({ "a.jsonl": `\n${JSON.stringify(record)}` });
      const read = collect(readConversations(files.path("a.jsonl")));
      await expect(read).rejects.toThrow("a.jsonl:2: ");
      await expect(collect(readConversations(files.path("a.jsonl")))).rejects.toThrow(reason);
    });
  }
});

describe("a bad record", () => {
  it("is told by its place and kind, never by its content, which not everybody may read", async () => {
    const secret = "hunter2";
    const bad = [
      `root:${secret}`,
      JSON.stringify(secret),
      JSON.stringify({ [secret]: secret }),
      JSON.stringify({ messages: [{ role: secret, content: "x" }] }),
      JSON.stringify({ messages: [{ role: "user", content: { a: secret } }] }),
      JSON.stringify({ instruction: [secret], output: "x" }),
    ];
    await using files = await tempDir({ "a.jsonl": bad.join("\n") });
    const told: string[] = [];
    const options = {
      maxBadRecords: bad.length,
      onBadRecord: ({ message }: BadRecord) => told.push(message),
    };
    const path = files.path("a.jsonl");
    await collect(readConversations(path, options)).catch(({ message }: Error) =>
      told.push(message),
    );
    expect(told.length).toBeGreaterThanOrEqual(bad.length);
    expect(told.join()).not.toContain(secret);
    expect(told[0]).toMatch(/a\.jsonl:1: not valid JSON/);
  });
});

describe("rankings", () => {
  it("say which fields are missing, and which the record has", async () => {
    const foreign = { prompt: "x", answers: ["a", "b"] };
    await using files = await tempDir({ "r.jsonl": lines(foreign) });
    const read = collect(readRankings(files.dir));
    const reason = `needs "ranks" (docs/data.md); this record has prompt, answers`;
    await expect(read).rejects.toThrow(reason);
  });

  it("take a text for a prompt of one message", async () => {
    const record = { prompt: "Hi", answers: ["a", "b"], ranks: [1, 2] };
    await using files = await tempDir({ "r.jsonl": lines(record) });
    const [read] = await collect(readRankings(files.dir));
    expect(read!.prompt).toEqual([user("Hi")]);
  });

  const ranking: Ranking = {
    id: "r1",
    prompt: [user("Hi")],
    answers: ["a", "b", "c"],
    ranks: [1, 1, 3],
    scores: [0.5, 0.5, -1],
    rater: "ann",
    criteria: { honest: [1, 2, 3] },
  };

  it("survive writing and reading, ties included", async () => {
    await using files = await tempDir();
    expect(await writeRankings(files.path("x/r.jsonl"), [ranking, { ...ranking, id: "r2" }])).toBe(
      2,
    );
    expect(await collect(readRankings(files.path("x/r.jsonl")))).toEqual([
      ranking,
      { ...ranking, id: "r2" },
    ]);
  });

  for (const [change, reason] of [
    [{ answers: ["a"], ranks: [1] }, "has 1 answers; a ranking compares 2 to 9"],
    [{ answers: Array<string>(10).fill("a") }, "has 10 answers"],
    [{ ranks: [1, 2] }, `"ranks" has 2 numbers for 3 answers`],
    [{ ranks: [0, 1, 2] }, "whole numbers from 1 (best) to 3"],
    [{ ranks: [1, 2, 4] }, "whole numbers from 1 (best) to 3"],
    [{ ranks: [1, 2, null] }, `"ranks" must be a list of numbers`],
    [{ scores: [1] }, `"scores" has 1 numbers`],
    [{ criteria: { kind: [1] } }, `"criteria.kind" has 1 numbers`],
    [{ prompt: [assistant("x")] }, `"prompt" must end with a message of the user`],
  ] as const) {
    it(`refuse ${JSON.stringify(change)} when read and when written`, async () => {
      const wrong = { ...ranking, ...change } as Ranking;
      await using files = await tempDir({ "r.jsonl": JSON.stringify(wrong) });
      await expect(collect(readRankings(files.dir))).rejects.toThrow(reason);
      const write = writeRankings(files.path("r.jsonl"), [ranking, wrong]);
      await expect(write).rejects.toThrow("ranking 1: ");
      // The file that was there is untouched, and nothing else is left.
      await expect(collect(readRankings(files.dir))).rejects.toThrow(reason);
    });
  }
});

describe("readPrompts()", () => {
  it("reads messages or a plain prompt, with what counts as right", async () => {
    await using files = await tempDir({
      "p.jsonl": lines(
        { id: "a", kind: "qa", messages: [user("2+2?")], reference: "4", accepted: ["4", "four"] },
        { prompt: "Hello" },
      ),
    });
    expect(await collect(readPrompts(files.dir))).toEqual([
      { id: "a", kind: "qa", messages: [user("2+2?")], reference: "4", accepted: ["4", "four"] },
      { id: "line-2", messages: [user("Hello")] },
    ]);
  });

  it("gives lines of several files ids that differ, and keeps those of a single file", async () => {
    const two = lines({ prompt: "a" }, { id: "own", prompt: "b" });
    await using files = await tempDir({ "p.jsonl": two, "q.jsonl": two, "x/p.jsonl": two });
    const idsOf = async (...names: string[]) =>
      (await collect(readPrompts(names.map(files.path)))).map(({ id }) => id);
    expect(await idsOf("p.jsonl")).toEqual(["line-1", "own"]);
    expect(await idsOf("p.jsonl", "q.jsonl")).toEqual(["p:line-1", "own", "q:line-1", "own"]);
    const [first, , second] = await idsOf("p.jsonl", "x/p.jsonl");
    expect([first, second]).toEqual([
      `${files.path("p.jsonl")}:line-1`,
      `${files.path("x/p.jsonl")}:line-1`,
    ]);
  });

  it("says what a record has instead of a prompt", async () => {
    await using files = await tempDir({
      "p.jsonl": lines({ query: "x", answer: "y", hunter: 2 }),
    });
    const read = collect(readPrompts(files.dir));
    await expect(read).rejects.toThrow(
      `"question" or "text" (docs/data.md); this record has query, answer, 1 unknown`,
    );
  });

  it("knows where every record was read, for messages", async () => {
    await using files = await tempDir({ "p.jsonl": `\n${lines({ id: "a", prompt: "x" })}` });
    const [prompt] = await collect(readPrompts(files.dir));
    expect(nameRecord("prompt", prompt!)).toBe(`prompt "a" (${files.path("p.jsonl")}:2)`);
    expect(nameRecord("prompt", { id: "b" })).toBe('prompt "b"');
  });

  it("refuses prompts that the user does not end", async () => {
    await using files = await tempDir({ "p.jsonl": lines({ messages: [assistant("x")] }) });
    await expect(collect(readPrompts(files.dir))).rejects.toThrow("p.jsonl:1:");
  });
});
