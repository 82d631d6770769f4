import { describe, expect, it } from "vitest";
import { tempDir } from "../../test/temp-dir.js";
import { checkFile } from "./check-file.js";

const lines = (...records: unknown[]) => records.map((record) => JSON.stringify(record)).join("\n");
const pair = (prompt: string) => ({ prompt, chosen: "a", rejected: "b" });

describe("checkFile()", () => {
  it("says what a file is, how many records it has, and shows the first", async () => {
    await using files = await tempDir({ "a.jsonl": lines(...["q", "r", "s", "q"].map(pair)) });
    const report = await checkFile(files.path("a.jsonl"), { numSamples: 1 });
    const sample = {
      prompt: [{ role: "user", content: "q" }],
      answers: ["a", "b"],
      ranks: [1, 2],
    };
    expect(report).toMatchObject({
      ...{ fileFormat: "jsonl", numRecords: 4, numDuplicates: 1, kind: "rankings" },
      kinds: {
        rankings: { numRecords: 4, numItems: 4, formats: { pairs: 4 }, samples: [sample] },
        prompts: { numRecords: 4 },
        conversations: { numRecords: 0, numProblems: 4 },
      },
    });
    expect(report.kinds.rankings).toMatchObject({ numProblems: 0, problems: [] });
  });

  it("counts all problems, and tells the first by their places", async () => {
    const text = `${lines(pair("q"), { ...pair("r"), chosen: 3 })}\n{"prompt":\n${lines({}, {})}`;
    await using files = await tempDir({ "a.jsonl": text });
    const { kind, kinds } = await checkFile(files.path("a.jsonl"), {
      kind: "rankings",
      maxProblems: 2,
    });
    expect(kind).toBe("rankings");
    expect(kinds.rankings.numProblems).toBe(4);
    const places = kinds.rankings.problems.map(
      (problem) => /a\.jsonl:\d+: .{14}/.exec(problem)![0],
    );
    expect(places).toEqual(["a.jsonl:2: chosen must be", "a.jsonl:3: not valid JSON"]);
  });

  it("knows texts, and files that hold nothing of use", async () => {
    const files = { "a.txt": "Once.", "b.jsonl": lines({ text: "x" }), "c.jsonl": lines({ z: 1 }) };
    await using dir = await tempDir(files);
    const kinds = await Promise.all(
      Object.keys(files).map(async (name) => (await checkFile(dir.path(name))).kind),
    );
    expect(kinds).toEqual(["texts", "texts", undefined]);
  });
});
