import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import {
  chatmlFiles,
  example,
  makeBase,
  openWorkshop,
  readRecords,
  succeed,
  writeRecords,
} from "./case-kit.js";

/** `<|im_end|>` ends a turn, `<|endoftext|>` is the tokenizer's `eos_token`. */
const [EOS, TURN_END] = [0, 2];

const jsonOf = async (file: string) =>
  JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>;

// Embeddings have 262 rows, the tokenizer 259 tokens: rows without a token are never drawn either.
it("the end that sft teaches ends answers, rollouts and what other tools generate", async () => {
  await using workshop = await openWorkshop();
  const base = await makeBase(workshop.path("base"), {
    tokenizerFiles: await chatmlFiles(),
    hiddenSize: 32,
  });
  const reward = await makeBase(workshop.path("reward"), {
    tokenizerFiles: await chatmlFiles(),
    heads: ["score"],
  });
  const questions = Array.from({ length: 16 }, (_, i) => `Q${i % 8}`);
  const data = await writeRecords(
    workshop,
    "yes.jsonl",
    questions.map((question) => example(question, "Yes.")),
  );
  const prompts = await writeRecords(
    workshop,
    "prompts.jsonl",
    ["Q0", "Q1"].map((prompt, i) => ({ id: `p${i}`, prompt })),
  );

  const sft = workshop.path("sft");
  const pace = ["--epochs", "60", "--learning-rate", "0.02", "--warmup-steps", "0"];
  const taught = ["--validation-fraction", "0", "--no-pack", ...pace];
  await succeed(["sft", "--model", base, "--data", data, ...taught, "--run", sft]);
  const model = join(sft, "model");
  for (const file of ["config.json", "generation_config.json"]) {
    expect(await jsonOf(join(model, file))).toMatchObject({ eos_token_id: [TURN_END, EOS] });
  }

  const answers = workshop.path("answers");
  const greedy = ["--temperature", "0", "--max-new-tokens", "20", "--samples-per-prompt", "1"];
  await succeed(["collect", "--model", model, "--prompts", prompts, ...greedy, "--run", answers]);
  for (const set of await readRecords(join(answers, "answers.jsonl"))) {
    expect(set).toMatchObject({ answers: ["Yes."], finishReasons: ["eos"] });
  }

  const short = ["--updates", "1", "--prompts-per-update", "4", "--max-new-tokens", "8"];
  const ppo = (policy: string, run: string) =>
    succeed([
      ...["ppo", "--policy", policy, "--reward-model", reward, "--prompts", prompts],
      ...[...short, "--run", run],
    ]);
  await ppo(model, workshop.path("ppo"));
  const records = await readRecords(join(workshop.path("ppo"), "metrics.jsonl"));
  expect(records.find(({ kind }) => kind === "update")!["eosRate"]).toBeGreaterThan(0.5);
  expect(records.filter(({ code }) => code === "no-end")).toEqual([]);

  await ppo(base, workshop.path("untaught"));
  const untaught = await readRecords(join(workshop.path("untaught"), "metrics.jsonl"));
  expect(untaught.find(({ kind }) => kind === "update")!["eosRate"]).toBe(0);
  expect(untaught.filter(({ code }) => code === "no-end")).toHaveLength(1);
}, 120_000);
