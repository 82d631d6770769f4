import { mkdtemp, mkdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createModel, judgeSequence, loadModel, presetConfig, saveModel } from "@stagecraft/model";
import { silentReporter, type StageContext } from "@stagecraft/runs";
import { loadTokenizer, trainBpe } from "@stagecraft/tokenizer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { evaluateSchema } from "../stage/config.js";
import { evaluateStage } from "../stage/evaluate-stage.js";
import type { TaskAnswer } from "./ask-model.js";
import { readTask } from "./read-task.js";
import type { TaskEvaluation } from "./summarise-tasks.js";
import { findTask } from "./task-files.js";

describe("evaluate with tasks", () => {
  let dir: string;
  const lines = (records: readonly object[]) =>
    records.map((record) => `${JSON.stringify(record)}\n`).join("");
  const write = async (path: string, records: readonly object[]) => {
    await mkdir(join(dir, path, ".."), { recursive: true });
    await writeFile(join(dir, path), lines(records));
  };
  const config = (more: object) =>
    evaluateSchema.parse({ models: [`m=${join(dir, "m")}`], engine: "cpu", threads: 1, ...more });
  const context = (runDir: string, more: Partial<StageContext> = {}): StageContext => ({
    ...{ runDir: join(dir, runDir), resume: false, signal: new AbortController().signal },
    ...{ reporter: silentReporter(), ...more },
  });
  const answersOf = async (runDir: string) =>
    (await readFile(join(dir, runDir, "task-answers.jsonl"), "utf8"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as TaskAnswer);
  const resultOf = async (runDir: string, more: object) => {
    const { metrics, outputs } = await evaluateStage.run(config(more), context(runDir));
    const text = await readFile(outputs["tasks"]!, "utf8");
    return { metrics, evaluation: JSON.parse(text) as TaskEvaluation };
  };

  const choose = (i: number) => ({
    question: `Word ${i} is`,
    choices: ["a", "bcd ef"],
    answer: i % 2,
  });
  const mmlu = (subject: string, i: number) => ({
    ...{ subject, question: `${subject} ${i}?`, choices: ["1", "2", "3", "4"], answer: i % 4 },
  });
  const gsm8k = (i: number) => ({ question: `${i}?`, answer: `#### ${i}` });

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "tasks-"));
    const { vocabSize, files } = await trainBpe(["text"], { vocabSize: 262 });
    const sizes = { vocabSize, hiddenSize: 16, numLayers: 1, numHeads: 2, maxPositions: 256 };
    const model = createModel(presetConfig("llama", sizes), { seed: 1 });
    await saveModel(join(dir, "m"), model, { tokenizerFiles: files() });
    model.dispose();
    await write("own.jsonl", [0, 1, 2, 3, 4].map(choose));
    const subjects = ["law", "us_history"];
    await write(
      "mmlu/all/test.jsonl",
      subjects.flatMap((s) => [0, 1, 2].map((i) => mmlu(s, i))),
    );
    await write(
      "mmlu/all/dev.jsonl",
      subjects.flatMap((s) => [7, 8].map((i) => mmlu(s, i))),
    );
    await write("gsm8k/main/test-00000-of-00001.jsonl", [1, 2, 3].map(gsm8k));
    await write(
      "gsm8k/main/train-00000-of-00001.jsonl",
      Array.from({ length: 30 }, (_, i) => gsm8k(100 + i)),
    );
  });
  afterAll(() => rm(dir, { recursive: true }));

  it("takes the likeliest answer, judged as the API judges it", async () => {
    const { evaluation, metrics } = await resultOf("own", { tasks: [join(dir, "own.jsonl")] });
    const answers = await answersOf("own");
    const [model, tokenizer] = [
      await loadModel(join(dir, "m")),
      await loadTokenizer(join(dir, "m")),
    ];
    const numBefore = tokenizer.encode("Word 0 is").length;
    const { logProbs } = await judgeSequence(model, tokenizer.encode("Word 0 is bcd ef"), {
      numTop: 0,
    });
    model.dispose();
    const sum = logProbs.slice(numBefore).reduce((total, each) => total + Math.fround(each), 0);
    expect(answers[0]!.logLikelihoods![1]).toBe(sum);
    const right = answers.filter(
      ({ logLikelihoods: [a, b] = [] }, i) => (a! >= b! ? 0 : 1) === i % 2,
    );
    expect(metrics["m.own.acc"]).toBe(right.length / 5);
    const [task] = evaluation.models[0]!.tasks;
    expect(task).toMatchObject({ task: "own", format: "choose", shots: 0, numItems: 5, numCut: 0 });
    expect(task!.metrics["acc_norm"]!.count).toBe(5);
  });

  it("puts the first examples of its subject before an item of mmlu, and tells subjects apart", async () => {
    const tasks = [`mmlu=${join(dir, "mmlu")}`];
    const { evaluation } = await resultOf("mmlu", { tasks, shots: 1, limit: 2 });
    const [task] = evaluation.models[0]!.tasks;
    expect(task).toMatchObject({ numItems: 4, shots: 1 });
    expect(Object.keys(task!.groups!)).toEqual(["law", "us_history"]);
    await expect(resultOf("many", { tasks, shots: 3 })).rejects.toThrow(
      "shots: mmlu, law, has 2 worked examples for 3; put the split dev beside its file",
    );
  });

  it("lets the model write where answers are checked, cut to its context, and says so", async () => {
    const warnings: string[] = [];
    const reporter = silentReporter({ warn: (text) => warnings.push(text) });
    const more = { tasks: [`gsm8k=${join(dir, "gsm8k/main")}`], taskTokens: 8, shots: 20 };
    const { metrics } = await evaluateStage.run(config(more), context("gsm8k", { reporter }));
    expect(metrics["m.gsm8k.exact_match_strict"]).toBe(0);
    expect(warnings).toEqual([
      "3 of 3 items of gsm8k are longer than m reads: asked without their beginning",
    ]);
    const room = { ...more, taskTokens: 256 };
    await expect(resultOf("room", room)).rejects.toThrow("leave no room for a question");
  });

  it("gives the same figures after an interruption as without one", async () => {
    const more = { tasks: [join(dir, "own.jsonl"), `mmlu=${join(dir, "mmlu")}`] };
    const controller = new AbortController();
    const reporter = silentReporter({ progress: ({ done }) => done >= 5 && controller.abort() });
    const first = context("again", { signal: controller.signal, reporter });
    await expect(evaluateStage.run(config(more), first)).rejects.toThrow("[cancelled]");
    const file = join(dir, "again", "task-answers.jsonl");
    await truncate(file, (await readFile(file)).length - 9);
    await evaluateStage.run(config(more), context("again", { resume: true }));
    await evaluateStage.run(config(more), context("whole"));
    expect(await answersOf("again")).toEqual(await answersOf("whole"));
  });

  describe("in a folder of several data sets", () => {
    const set = async (path: string, from: number) => write(path, [from, from + 1].map(choose));
    const idsOf = (runDir: string) => answersOf(runDir).then((answers) => answers.length);

    it("refuses to mix them, and lists them", async () => {
      await set("several/ARC-Easy/test-00000-of-00001.jsonl", 0);
      await set("several/ARC-Challenge/test-00000-of-00001.jsonl", 10);
      const tasks = [`choose=${join(dir, "several")}`];
      await expect(resultOf("mixed", { tasks })).rejects.toThrow(
        /several holds 2 data sets: .*ARC-Challenge.test-00000-of-00001\.jsonl, .*ARC-Easy.test-00000-of-00001\.jsonl; name the folder or the file of one, choose=PATH/,
      );
    });

    it("takes the one that is called as the task is, with its worked examples", async () => {
      await set("called/ARC-Easy/test.jsonl", 0);
      await set("called/arc_challenge_test.jsonl", 10);
      await set("called/arc_challenge_train.jsonl", 20);
      await set("called/ARC-Easy/train.jsonl", 30);
      const { asked } = await readOnly("arc_easy", { shots: 2 });
      expect(asked.map((text) => [...text.matchAll(/Word (\d+)/g)].map(([, i]) => i))).toEqual([
        expect.arrayContaining(["30", "31"]),
        expect.arrayContaining(["30", "31"]),
      ]);
      expect((await readOnly("arc-challenge", { shots: 1 })).asked[0]).toMatch(/^Word 2[01] is/);
    });

    const readOnly = async (name: string, more: object) => {
      const files = await findTask(`${name}=${join(dir, "called")}`, []);
      const task = await readTask(files, { shots: 0, limit: 0, records: {}, ...more });
      return { asked: task.items.map(({ text }) => text) };
    };

    it("does not take the worked examples of another set beside a named file", async () => {
      await set("other/arc_challenge_test.jsonl", 0);
      await set("other/arc_easy_train.jsonl", 10);
      const file = join(dir, "other", "arc_challenge_test.jsonl");
      const files = await findTask(`choose=${file}`, []);
      const asked = readTask(files, { shots: 1, limit: 0, records: {} });
      await expect(asked).rejects.toThrow(/choose has 0 worked examples/);
    });

    it("refuses the same set stored twice", async () => {
      await set("twice/test.jsonl", 0);
      await set("twice/test.json", 0);
      const tasks = [`choose=${join(dir, "twice")}`];
      await expect(resultOf("twice-run", { tasks })).rejects.toThrow("holds 2 data sets");
    });

    it("takes all subjects of mmlu, each once", async () => {
      for (const subject of ["law", "history"])
        await write(`subjects/${subject}/test-00000-of-00001.jsonl`, [mmlu(subject, 1)]);
      await resultOf("subjects-run", { tasks: [`mmlu=${join(dir, "subjects")}`] });
      expect(await idsOf("subjects-run")).toBe(2);
    });
  });

  it("never shows an item its own answer as a worked example, and says how many stood there", async () => {
    const file = join(dir, "gsm8k/main/test-00000-of-00001.jsonl");
    const files = await findTask(`gsm8k=${file}`, [`gsm8k=${file}`]);
    const task = await readTask(files, { shots: 2, limit: 0, records: {} });
    for (const { text, item } of task.items) {
      expect(text.split(item.question)).toHaveLength(2); // asked, and nowhere else
      expect(text.match(/Question:/g)).toHaveLength(3);
    }
    expect(task.numShared).toBe(3);
    await expect(readTask(files, { shots: 3, limit: 0, records: {} })).rejects.toThrow(
      "gsm8k has 2 worked examples besides the question itself for 3",
    );
    const warnings: string[] = [];
    const reporter = silentReporter({ warn: (text) => warnings.push(text) });
    const more = { tasks: [`gsm8k=${file}`], examples: [`gsm8k=${file}`], shots: 1, taskTokens: 8 };
    await evaluateStage.run(config(more), context("shared", { reporter }));
    expect(warnings[0]).toBe(
      "3 of 3 items of gsm8k stand in its worked examples too: each is asked without itself before it",
    );
  });

  it("refuses a length of answers where none is written", async () => {
    const more = { tasks: [join(dir, "own.jsonl")], taskTokens: 9 };
    await expect(resultOf("no-tokens", more)).rejects.toThrow("taskTokens belongs to tasks with");
  });

  it("refuses worked examples that no item is asked with", async () => {
    const file = join(dir, "own.jsonl");
    await expect(resultOf("unused", { tasks: [file], examples: [`own=${file}`] })).rejects.toThrow(
      "examples: own is asked without any; set shots",
    );
  });

  const mistakes: [string, object, string][] = [
    ["nothing to evaluate on", {}, "give prompts to answer, or tasks to measure"],
    ["a task without its file", { tasks: ["gsm8k"] }, "gsm8k needs its file: gsm8k=PATH"],
    ["two tasks of one name", { tasks: ["x=a", "x=b"] }, 'two tasks are called "x"'],
    [
      "prompts beside tasks",
      { tasks: ["x=a"], prompts: ["p"], temperature: 1, tieMargin: 0.1, format: "messages" },
      "prompts belongs to prompts and has no part in tasks: leave it out, or evaluate twice; temperature belongs to prompts",
    ],
    [
      "settings of tasks beside prompts",
      { prompts: ["p"], shots: 3, asChat: true, taskTokens: 9, examples: ["x=a"] },
      "examples belongs to tasks and has no part in prompts: leave it out, or evaluate twice; shots belongs to tasks",
    ],
    [
      "a chat template where items are no chats",
      { tasks: ["x=a"], chatTemplate: "chatml" },
      "chatTemplate belongs to asChat: set that too",
    ],
    [
      "the temperature of baselines that are none",
      { prompts: ["p"], baselineTemperature: 2 },
      "baselineTemperature belongs to baselines: set that too",
    ],
    ["examples of no task", { tasks: ["x=a"], examples: ["y=a"] }, 'there is no task "y"'],
  ];
  for (const [what, more, message] of mistakes) {
    it(`refuses ${what}`, async () => {
      await expect(resultOf("refused", more)).rejects.toThrow(message);
    });
  }

  it("names the place of a malformed item, and what no task is", async () => {
    await write("bad.jsonl", [choose(0), { ...choose(1), answer: 9 }]);
    await expect(resultOf("bad", { tasks: [join(dir, "bad.jsonl")] })).rejects.toThrow(
      /bad\.jsonl:2: "answer" must say which of the 2 answers is right/,
    );
    await write("text.jsonl", [{ text: "a" }]);
    await expect(resultOf("text", { tasks: [join(dir, "text.jsonl")] })).rejects.toThrow(
      "of no task known here (hellaswag, arc,",
    );
  });
});
