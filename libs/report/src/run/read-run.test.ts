import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { renderReport } from "../page/render-report.js";
import { buildReport } from "./build-report.js";
import { chartsOf } from "./curves.js";
import { readRuns } from "./read-run.js";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "stagecraft-report-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** A run directory with these lines as its metrics. */
async function putRun(name: string, lines: readonly (object | string)[], more: object = {}) {
  const dir = join(root, name);
  await mkdir(dir, { recursive: true });
  const record = {
    ...{ formatVersion: 2, stage: "sft", state: "succeeded", config: { seed: 1 } },
    ...{ startedAt: "2026-01-01T00:00:00.000Z", updatedAt: "2026-01-01T00:01:00.000Z" },
    ...more,
  };
  await writeFile(join(dir, "run.json"), JSON.stringify(record));
  const text = lines.map((line) => (typeof line === "string" ? line : `${JSON.stringify(line)}\n`));
  await writeFile(join(dir, "metrics.jsonl"), text.join(""));
  return dir;
}
const step = (n: number, loss: number | null) => ({ kind: "train", step: n, loss });

describe("readRuns()", () => {
  it("finds the runs at and under directories and names them by what tells them apart", async () => {
    const a = await putRun("a/sft", []);
    await putRun("b/sft", [], { startedAt: "2026-01-02T00:00:00.000Z" });
    await putRun("b/sft/model/no", []); // part of a run, no run
    const names = async (...dirs: string[]) => (await readRuns(dirs)).map(({ name }) => name);
    expect(await names(join(root, "a"), join(root, "b"))).toEqual(["a/sft", "b/sft"]);
    expect(await names(root)).toEqual(["a/sft", "b/sft"]);
    expect(await names(a)).toEqual(["sft"]);
  });

  it("refuses a directory that is not there or holds no run, by its name", async () => {
    await expect(readRuns([join(root, "nowhere")])).rejects.toThrow(/no directory .*nowhere/);
    await expect(readRuns([root])).rejects.toThrow(/holds no run/);
  });

  it("reads a run of an earlier version, and one whose process died as what it is", async () => {
    await putRun("a", [], { state: undefined, status: "finished" });
    await putRun("b", [], { state: "running", startedAt: "2026-01-03T00:00:00.000Z" });
    const [a, b] = await readRuns([root]);
    expect([a!.state, b!.state]).toEqual(["succeeded", "failed"]);
    expect(b!.error?.message).toContain("its process ended");
  });
});

describe("metrics that are damaged or missing", () => {
  it("lines that cannot be read are counted, and the curve has a gap there, no 0", async () => {
    await putRun("a", [step(1, 3), '{"kind":"tra\n', "null\n", step(4, 2), step(5, 1), '{"ki']);
    const [run] = await readRuns([root]);
    expect(run!.problems).toEqual([expect.stringContaining("3 lines cannot be read")]);
    const [chart] = chartsOf("sft", [run!]);
    expect(chart!.series).toEqual([
      { run: "a", name: "training", x: [1, 2.5, 4, 5], y: [3, null, 2, 1] },
    ]);
  });

  it("a value that was no number is a gap", async () => {
    await putRun("a", [step(1, 3), step(2, null), step(3, 1)]);
    const [chart] = chartsOf("sft", await readRuns([root]));
    expect(chart!.series[0]!.y).toEqual([3, null, 1]);
  });

  it("a file that is not there, or ends before the run did, is said", async () => {
    const short = await putRun("a", [step(40, 3)], { result: { metrics: { steps: 300 } } });
    const [run] = await readRuns([short]);
    expect(run!.problems).toEqual([expect.stringContaining("ends at step 40, the run had 300")]);
    await writeFile(join(short, "metrics.jsonl"), "");
    const [emptied] = await readRuns([short]);
    expect(emptied!.problems).toEqual([expect.stringContaining("ends at step 0, the run had 300")]);
    await rm(join(short, "metrics.jsonl"));
    const report = await buildReport(await readRuns([short]));
    expect(report.problems).toEqual([expect.stringContaining("metrics.jsonl is missing")]);
    expect(report.charts).toEqual([]);
  });
});

describe("an evaluation that is damaged", () => {
  it("is said to be, and so are lines of its answers", async () => {
    const dir = await putRun("a", []);
    const problems = async () => (await buildReport(await readRuns([dir]))).problems;
    await writeFile(join(dir, "evaluation.json"), '{"models": [');
    await writeFile(join(dir, "reward-report.json"), "[");
    expect(await problems()).toEqual([
      "a: evaluation.json cannot be read: it is left out",
      "a: reward-report.json cannot be read: it is left out",
    ]);
    await rm(join(dir, "reward-report.json"));
    await writeFile(join(dir, "evaluation.json"), '{"models": [], "winRates": []}');
    const answer = { id: "1", prompt: "p", answer: "a" };
    await writeFile(join(dir, "answers.jsonl"), `${JSON.stringify(answer)}\n{"id\n`);
    expect(await problems()).toEqual(["a: answers.jsonl: 1 lines cannot be read"]);
  });
});

describe("answers that a run kept", () => {
  it("are the first few, with how many there are; a damaged file is said", async () => {
    const dir = await putRun("a", [], { stage: "ppo" });
    const rollout = { update: 1, rolloutId: "r", prompt: "p", answer: "a", score: 1, hasEos: true };
    const token = {
      text: "a",
      id: 1,
      logProb: -1,
      refLogProb: -1,
      kl: 0,
      value: 0,
      advantage: 0,
      reward: 1,
    };
    const lines = Array(9).fill(JSON.stringify({ ...rollout, tokens: [token] }));
    const file = join(dir, "rollouts", "update-000001.jsonl");
    await mkdir(join(dir, "rollouts"));
    await writeFile(file, lines.join("\n"));
    const report = await buildReport(await readRuns([dir]));
    expect([report.samples!.length, report.numAnswered]).toEqual([4, 9]);
    expect(renderReport(report)).toContain("4 of 9 prompts");
    await writeFile(file, "{}");
    const { problems, samples } = await buildReport(await readRuns([dir]));
    expect(samples).toEqual([]);
    expect(problems).toEqual([expect.stringMatching(/^a: .*update-000001\.jsonl:1 is no rollout/)]);
  });
});

describe("buildReport()", () => {
  it("lays runs of one stage over one another, and shows figures that it does not know", async () => {
    await putRun("a", [{ ...step(1, 3), oddity: 7 }]);
    await putRun("b", [step(1, 4)], { startedAt: "2026-01-02T00:00:00.000Z" });
    const { charts } = await buildReport(await readRuns([root]));
    expect(charts!.map(({ title, isMinor }) => [title, isMinor])).toEqual([
      ["Loss", false],
      ["oddity (train)", true],
    ]);
    expect(charts![0]!.series.map(({ run, y }) => [run, y])).toEqual([
      ["a", [3]],
      ["b", [4]],
    ]);
  });

  it("says in words that a model learnt its examples by heart, and where it comes from", async () => {
    const evals = [5, 2, 3].map((validationLoss, i) => ({ kind: "eval", step: i, validationLoss }));
    await putRun("a", evals, {
      machine: { cpu: "Test CPU", cores: 3, memoryBytes: 2 ** 30, system: "linux x64" },
      versions: { commit: "abc" },
      inputs: { "d.jsonl": "00ff" },
      inputSizes: { "d.jsonl": { bytes: 2048, lines: 5 } },
    });
    const { verdict, configuration } = await buildReport(await readRuns([root]));
    expect(verdict![0]!.text).toMatch(/^Finished in 1m 00s\. Validation loss 5 → 3; .* step 1 /);
    const [{ values, data }] = configuration as [NonNullable<typeof configuration>[0]];
    expect(values).toMatchObject({ machine: expect.stringContaining("Test CPU"), commit: "abc" });
    expect(data).toEqual([{ file: "d.jsonl", sha256: "00ff", size: "2.00 KiB, 5 lines" }]);
  });

  it("says that the policy exploits the reward model when reward rises and gold falls", async () => {
    const at = (n: number, evalScore: number, gold: number) => ({
      ...{ kind: "eval", step: n, evalScore, eval_score_gold: gold },
    });
    await putRun("a", [at(0, 1, 0.6), at(9, 2, 0.5)], { stage: "ppo" });
    const { verdict } = await buildReport(await readRuns([root]));
    expect(verdict![0]!.text).toContain("exploits the reward model");
  });
});
