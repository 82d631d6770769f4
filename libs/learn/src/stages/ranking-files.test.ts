import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentReporter } from "@stagecraft/runs";
import { expect, it } from "vitest";
import { writeRankings } from "@stagecraft/data";
import { readRankingFiles } from "./ranking-files.js";

it("readRankingFiles() takes a rater's second ranking of the same answers in place of the first", async () => {
  const dir = await mkdtemp(join(tmpdir(), "stagecraft-rankings-"));
  const file = join(dir, "rankings.jsonl");
  const told: string[] = [];
  const ranking = (rater: string, ranks: number[]) => ({
    prompt: [{ role: "user" as const, content: "Q" }],
    ...{ answers: ["x", "y"], ranks, rater },
  });
  await writeRankings(file, [
    ranking("ann", [1, 2]),
    ranking("bob", [1, 2]),
    ranking("ann", [2, 1]),
  ]);
  const fields = {
    validationData: [file],
    validationFraction: 0,
    format: "auto",
    columns: [],
    maxBadRecords: 0,
  };
  const { train } = await readRankingFiles(
    { data: [file], ...fields },
    {
      ...{ runDir: dir, resume: false, signal: new AbortController().signal },
      reporter: silentReporter({ info: (text) => told.push(text) }),
    },
  );
  await rm(dir, { recursive: true });
  expect(train.map(({ rater, ranks }) => [rater, ranks])).toEqual([
    ["ann", [2, 1]],
    ["bob", [1, 2]],
  ]);
  expect(told[0]).toContain("ranked the same again: 1");
});
