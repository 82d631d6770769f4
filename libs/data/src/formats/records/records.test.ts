import { describe, expect, it } from "vitest";
import { collect, tempDir } from "../../../test/temp-dir.js";
import { readConversations } from "../../conversations.js";
import { readPrompts } from "../../prompts.js";
import { readRankings } from "../../rankings.js";
import type { RecordOptions } from "../../types.js";
import { RECORD_FORMATS } from "./table.js";

const user = (content: string) => ({ role: "user" as const, content });
const assistant = (content: string) => ({ role: "assistant" as const, content });
const system = (content: string) => ({ role: "system" as const, content });
const context = (content: string) => ({ ...assistant(content), weight: 0 as const });

const READERS = {
  conversations: readConversations,
  rankings: readRankings,
  prompts: readPrompts,
};

async function read(kind: keyof typeof READERS, record: unknown, options: RecordOptions = {}) {
  await using files = await tempDir({ "a.jsonl": JSON.stringify(record) });
  return await collect<unknown>(READERS[kind](files.path("a.jsonl"), options));
}

interface Case {
  format: string;
  record: object;
  conversations?: object[] | string;
  rankings?: object[] | string;
  prompts?: object[] | string;
}

const oasstReply = (role: string, text: string, rest: object) => ({ role, text, ...rest });

const CASES: Case[] = [
  {
    format: "messages",
    record: {
      messages: [user("q"), { role: "assistant", content: [{ type: "text", text: "a" }] }],
    },
    conversations: [{ messages: [user("q"), assistant("a")] }],
    prompts: "must end with a message of the user",
  },
  {
    format: "messages",
    record: { messages: [user("q"), assistant("a")], tools: [{ name: "f" }] },
    conversations: `the record offers "tools"`,
    prompts: `the record offers "tools"`,
  },
  {
    format: "messages",
    record: { messages: [user("q"), { role: "assistant", content: null, tool_calls: [{}] }] },
    conversations: "messages[1] has tool_calls",
  },
  {
    format: "messages",
    record: { messages: [{ role: "developer", content: "x" }, user("q"), assistant("a")] },
    conversations: `and "developer" is not read`,
  },
  {
    format: "messages",
    record: { messages: [{ role: "user", content: [{ type: "image_url" }] }, assistant("a")] },
    conversations: "only text is read",
  },
  {
    format: "sharegpt",
    record: {
      id: "s",
      system: "Be short",
      conversations: [
        { from: "human", value: "q" },
        { from: "gpt", value: "a", train: false },
        { from: "human", value: "r" },
        { from: "gpt", value: "b" },
      ],
    },
    conversations: [
      {
        id: "s",
        messages: [system("Be short"), user("q"), context("a"), user("r"), assistant("b")],
      },
    ],
    prompts: "must end with a message of the user",
  },
  {
    format: "sharegpt",
    record: { conversation: [user("q"), assistant("a")] },
    conversations: [{ messages: [user("q"), assistant("a")] }],
  },
  {
    format: "sharegpt",
    record: { conversations: [{ from: "function_call", value: "q" }] },
    conversations: "conversations[0].from is none of",
  },
  {
    format: "alpaca",
    record: { instruction: "Add", input: "1 2", output: "3", history: [["q", "a"]] },
    conversations: [{ messages: [user("q"), assistant("a"), user("Add\n\n1 2"), assistant("3")] }],
    prompts: [
      { id: "line-1", messages: [user("q"), assistant("a"), user("Add\n\n1 2")], reference: "3" },
    ],
  },
  {
    format: "dolly",
    record: { instruction: "Sum", context: "text", response: "r", category: "qa" },
    conversations: [{ kind: "qa", messages: [user("Sum\n\ntext"), assistant("r")] }],
    prompts: [{ id: "line-1", kind: "qa", messages: [user("Sum\n\ntext")], reference: "r" }],
  },
  {
    format: "prompt-completion",
    record: { prompt: "q", completion: "a" },
    conversations: [{ messages: [user("q"), assistant("a")] }],
    prompts: [{ id: "line-1", messages: [user("q")] }],
  },
  {
    format: "prompt-completion",
    record: { prompt: [user("q"), assistant("a"), user("r")], completion: [assistant("b")] },
    conversations: [{ messages: [user("q"), context("a"), user("r"), assistant("b")] }],
  },
  {
    format: "kto",
    record: { prompt: "q", completion: "a", label: true },
    conversations: "judges one answer by itself",
    rankings: "judges one answer by itself",
    prompts: [{ id: "line-1", messages: [user("q")] }],
  },
  {
    format: "question",
    record: { question: "1+1?", answer: "#### 2" },
    conversations: [{ messages: [user("1+1?"), assistant("#### 2")] }],
    prompts: [{ id: "line-1", messages: [user("1+1?")], reference: "#### 2" }],
  },
  {
    format: "text",
    record: { text: "Hello" },
    prompts: [{ id: "line-1", messages: [user("Hello")] }],
  },
  {
    format: "pairs",
    record: { prompt: "q", chosen: "a", rejected: "b", system: "s" },
    rankings: [{ prompt: [system("s"), user("q")], answers: ["a", "b"], ranks: [1, 2] }],
    prompts: [{ id: "line-1", messages: [system("s"), user("q")] }],
  },
  {
    format: "pairs",
    record: { prompt: [user("q")], chosen: [assistant("a")], rejected: [assistant("b")] },
    rankings: [{ prompt: [user("q")], answers: ["a", "b"], ranks: [1, 2] }],
  },
  {
    format: "pairs", // UltraFeedback, binarised
    record: {
      prompt: "q",
      prompt_id: "x",
      chosen: [user("q"), assistant("a")],
      rejected: [user("q"), assistant("b")],
      messages: [user("q"), assistant("a")],
      score_chosen: 8.5,
      score_rejected: 3,
    },
    conversations: [{ messages: [user("q"), assistant("a")] }],
    rankings: [{ prompt: [user("q")], answers: ["a", "b"], ranks: [1, 2], scores: [8.5, 3] }],
    prompts: [{ id: "line-1", messages: [user("q")] }],
  },
  {
    format: "pairs",
    record: {
      conversations: [{ from: "human", value: "q" }],
      chosen: { from: "gpt", value: "a" },
      rejected: { from: "gpt", value: "b" },
    },
    rankings: [{ prompt: [user("q")], answers: ["a", "b"], ranks: [1, 2] }],
  },
  {
    format: "pairs",
    record: { chosen: [user("q"), assistant("a")], rejected: [user("other"), assistant("b")] },
    rankings: "differ in more than their last message",
  },
  {
    format: "pairs",
    record: {
      prompt: "p",
      chosen: [user("q"), assistant("a")],
      rejected: [user("q"), assistant("b")],
    },
    rankings: `"prompt" is not what "chosen" and "rejected" answer`,
  },
  {
    format: "pairs",
    record: { chosen: "a", rejected: "b" },
    rankings: `a pair of texts needs "prompt"`,
  },
  {
    format: "hh-rlhf",
    record: {
      chosen: "\n\nHuman: q\n\nAssistant: a\n\nwith lines\n\nHuman: r\n\nAssistant: good",
      rejected: "\n\nHuman: q\n\nAssistant: a\n\nwith lines\n\nHuman: r\n\nAssistant:  bad",
    },
    rankings: [
      {
        prompt: [user("q"), assistant("a\n\nwith lines"), user("r")],
        answers: ["good", " bad"],
        ranks: [1, 2],
      },
    ],
    prompts: [{ id: "line-1", messages: [user("q"), assistant("a\n\nwith lines"), user("r")] }],
  },
  {
    format: "hh-rlhf",
    record: { chosen: "\n\nHuman: q\n\nAssistant: a", rejected: "\n\nHuman: p\n\nAssistant: b" },
    rankings: "differ in more than their last turn",
  },
  {
    format: "ultrafeedback",
    record: {
      instruction: "q",
      completions: [
        { model: "m", response: "a", overall_score: 3 },
        { model: "n", response: "b", overall_score: 7.5 },
        { model: "o", response: "c", overall_score: 3 },
      ],
    },
    rankings: [
      { prompt: [user("q")], answers: ["a", "b", "c"], ranks: [2, 1, 2], scores: [3, 7.5, 3] },
    ],
    prompts: [{ id: "line-1", messages: [user("q")] }],
  },
  {
    format: "nectar",
    record: {
      prompt: "\n\nHuman: q\n\nAssistant: ",
      answers: [
        { answer: "a", model: "m", rank: 2 },
        { answer: "b", model: "n", rank: 1 },
      ],
    },
    rankings: [{ prompt: [user("q")], answers: ["a", "b"], ranks: [2, 1] }],
    prompts: [{ id: "line-1", messages: [user("q")] }],
  },
  {
    format: "shp",
    record: { history: "q", human_ref_A: "a", human_ref_B: "b", labels: 0, score_A: 1, score_B: 9 },
    rankings: [{ prompt: [user("q")], answers: ["a", "b"], ranks: [2, 1] }],
    prompts: [{ id: "line-1", messages: [user("q")] }],
  },
  {
    format: "oasst",
    record: {
      message_tree_id: "t",
      prompt: oasstReply("prompter", "q", {
        replies: [
          oasstReply("assistant", "second", { rank: 1, replies: [] }),
          oasstReply("assistant", "best", {
            rank: 0,
            replies: [
              oasstReply("prompter", "r", { replies: [oasstReply("assistant", "b", {})] }),
              oasstReply("prompter", "s", { replies: [oasstReply("assistant", "c", {})] }),
              oasstReply("prompter", "nobody answers", { replies: [] }),
            ],
          }),
          oasstReply("assistant", "deleted", { rank: 2, deleted: true }),
        ],
      }),
    },
    conversations: [
      { id: "t", messages: [user("q"), assistant("best"), user("r"), assistant("b")] },
      { id: "t", messages: [user("q"), context("best"), user("s"), assistant("c")] },
    ],
    rankings: [{ prompt: [user("q")], answers: ["second", "best"], ranks: [2, 1] }],
    prompts: [{ id: "t", messages: [user("q")] }],
  },
  {
    format: "oasst-table",
    record: { message_id: "m", parent_id: null, text: "q", role: "prompter" },
    conversations: "read its trees",
    rankings: "read its trees",
    prompts: "read its trees",
  },
];

describe("records of other tools", () => {
  for (const { format, record, ...kinds } of CASES) {
    for (const [kind, expected] of Object.entries(kinds) as [keyof typeof READERS, unknown][]) {
      it(`${format}: ${JSON.stringify(record).slice(0, 60)}… as ${kind}`, async () => {
        const outcome = read(kind, record);
        if (typeof expected === "string") await expect(outcome).rejects.toThrow(expected);
        else expect(await outcome).toEqual(expected);
      });
    }
  }

  it("have a case above for every format", () => {
    const here = ["ranking", "prompt", "self-instruct"]; // records.test.ts beside the readers
    const names = new Set([...CASES.map(({ format }) => format), ...here]);
    expect(RECORD_FORMATS.map(({ name }) => name).filter((name) => !names.has(name))).toEqual([]);
  });
});

describe("a format and columns that are told", () => {
  it("read other columns under our names", async () => {
    const record = { Frage: "q", better: "a", worse: "b", id: 3 };
    const columns = { prompt: "Frage", chosen: "better", rejected: "worse" };
    expect(await read("rankings", record, { columns })).toEqual([
      { id: "3", prompt: [user("q")], answers: ["a", "b"], ranks: [1, 2] },
    ]);
    const missing = read("rankings", record, { columns: { ...columns, prompt: "x" } });
    await expect(missing).rejects.toThrow('a.jsonl:1: there is no column "x" for "prompt"');
  });

  it("decide where a record looks like another format", async () => {
    const record = { messages: [user("m"), assistant("n")], instruction: "i", output: "o" };
    expect(await read("conversations", record, { format: "alpaca" })).toEqual([
      { messages: [user("i"), assistant("o")] },
    ]);
    const unknown = read("rankings", record, { format: "alpaca" });
    await expect(unknown).rejects.toThrow('"alpaca" does not read rankings; choose one of');
  });
});
