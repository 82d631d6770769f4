import { join } from "node:path";
import { expect, it } from "vitest";
import {
  makeBase,
  openWorkshop,
  readRecords,
  runCli,
  succeed,
  writeRecords,
  type Workshop,
} from "./case-kit.js";

const ask = (text: string) => [{ role: "user", content: text }];
const ranked = (i: number, answers = [`yes ${i}`, "no"], ranks = [1, 2]) => ({
  ...{ prompt: ask(`Q${i}`), answers, ranks },
});
const many = (count: number, of: (i: number) => object) =>
  Array.from({ length: count }, (_, i) => of(i));

async function stage(name: "reward" | "dpo", workshop: Workshop, data: string, ...flags: string[]) {
  const model = await makeBase(workshop.path("base"));
  return [
    ...[name, "--model", model, "--data", data, "--epochs", "2", "--threads", "1"],
    ...["--run", workshop.path(name), ...flags],
  ];
}

for (const name of ["reward", "dpo"] as const) {
  it(`${name}: held-out rankings that are all tied choose nothing; the result is trained`, async () => {
    await using workshop = await openWorkshop();
    const data = await writeRecords(workshop, "data.jsonl", many(12, ranked));
    const tied = await writeRecords(
      workshop,
      "tied.jsonl",
      many(4, (i) => ranked(i, ["a", "b"], [1, 1])),
    );
    const args = await stage(name, workshop, data, "--validation-data", tied, "--eval-every", "1");
    const { out, err } = await succeed(args);
    expect(err).toContain("4 held-out rankings put no answer above another: left out");
    expect(err).toContain("nothing is evaluated, and the last weights are taken");
    expect(out).not.toMatch(/accuracy|bestStep/);
    const records = await readRecords(join(workshop.path(name), "metrics.jsonl"));
    expect(records.filter(({ kind }) => kind === "eval")).toEqual([]);
  });

  it(`${name}: answers that cutting made identical are counted and left out; nothing left is refused`, async () => {
    await using workshop = await openWorkshop();
    const tail = "z".repeat(80);
    const alike = many(6, (i) => ranked(i, [`good${tail}`, `bad ${tail}`]));
    const data = await writeRecords(workshop, "data.jsonl", [...many(6, ranked), ...alike]);
    const args = await stage(name, workshop, data, "--validation-fraction", "0");
    const { err } = await succeed(args);
    expect(err).toContain("12 answers in 6 rankings are longer than 64 tokens");
    expect(err).toContain("6 pairs of answers are identical after cutting: left out");

    await writeRecords(workshop, "data.jsonl", alike);
    const refused = await runCli([...args, "--overwrite"]);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("none of the 6 rankings teaches anything");
  });
}

it("ratings of 1 to 5 are refused with file and line, and learnt on a declared range", async () => {
  await using workshop = await openWorkshop();
  const rated = many(12, (i) => ({ ...ranked(i), scores: [5, 1] }));
  const data = await writeRecords(workshop, "stars.jsonl", rated);
  const flags = ["--objective", "regression", "--validation-fraction", "0"];
  const args = await stage("reward", workshop, data, ...flags);
  const { code, err } = await runCli(args);
  expect(code).toBe(1);
  expect(err).toMatch(/stars\.jsonl:1\) has the score 5, outside the ratings from 0 to 1/);
  await succeed([...args, "--overwrite", "--rating-min", "1", "--rating-max", "5"]);
});
