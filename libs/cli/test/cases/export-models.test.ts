import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { readModelDirectory, readSafetensors } from "@stagecraft/checkpoint";
import { expect, it } from "vitest";
import { makeBase, openWorkshop, runCli, succeed, writeRecords } from "./case-kit.js";

it("what ppo's adapters learnt goes out as a PEFT adapter, and in again to the same weights", async () => {
  await using workshop = await openWorkshop();
  const base = await makeBase(workshop.path("base"), { contextLength: 32 });
  const reward = await makeBase(workshop.path("reward"), { heads: ["score"], contextLength: 32 });
  const prompts = await writeRecords(workshop, "prompts.jsonl", [{ id: "p", prompt: "Q0" }]);
  const short = ["--updates", "2", "--prompts-per-update", "2", "--max-new-tokens", "4"];
  const models = ["--policy", base, "--reward-model", reward];
  const lora = ["--lora-rank", "2", "--learning-rate", "0.01"];
  const run = workshop.path("ppo");
  await succeed(["ppo", ...models, "--prompts", prompts, ...short, ...lora, "--run", run]);

  const [tuned, adapter, again] = [
    `${run}/model`,
    workshop.path("adapter"),
    workshop.path("again"),
  ];
  const out = await succeed([
    ...["export", "adapter", tuned, "--base", base, "--out", adapter, "--json"],
  ]);
  expect(JSON.parse(out.out)).toMatchObject({ out: adapter, rank: 2 });
  expect(
    Object.keys(JSON.parse(await readFile(`${adapter}/adapter_config.json`, "utf8"))),
  ).toContain("target_modules");
  await succeed(["export", "model", base, "--adapter", adapter, "--out", again]);
  const [wanted, found] = [await readModelDirectory(tuned), await readModelDirectory(again)];
  expect(Object.keys(found.files)).toContain("tokenizer.json");
  for (const [name, { data }] of wanted.tensors) {
    const values = found.tensors.get(name)!.data as Float32Array;
    values.forEach((value, i) => expect(value).toBeCloseTo(data[i] as number, 5));
  }

  const ids = await workshop.write("ids.json", "[[1, 2, 3]]");
  const logitsOf = async (dir: string) => {
    const file = workshop.path("logits.safetensors");
    const { err } = await succeed(["logits", dir, "--ids", ids, "--out", file]);
    return { err, values: (await readSafetensors(file)).tensors.get("logits.0")!.data };
  };
  const own = await logitsOf(adapter);
  expect(own.err).toContain(`it is taken with its base ${base}`);
  expect(own.values).toEqual((await logitsOf(again)).values);
  const answers = ["evaluate", "--prompts", prompts, "--max-new-tokens", "4"];
  await succeed([...answers, "--models", `own=${adapter}`, "--run", workshop.path("measured")]);
  const config = JSON.parse(await readFile(`${adapter}/adapter_config.json`, "utf8")) as object;
  const hub = { ...config, base_model_name_or_path: "someone/model" };
  await writeFile(`${adapter}/adapter_config.json`, JSON.stringify(hub));
  const { code, err } = await runCli(["chat", adapter, "--prompt", "Hi"]);
  expect(code).toBe(1);
  expect(err).toContain('a PEFT adapter of "someone/model", which is no model directory here');
  expect(err).toContain(`npx stagecraft export model BASE --adapter ${adapter} --out MODEL`);
}, 60_000);

it("a model of ours goes into a GGUF file once the nearest pattern of words is named", async () => {
  await using workshop = await openWorkshop();
  const base = await makeBase(workshop.path("base"));
  const out = workshop.path("base.gguf");
  const refused = await runCli(["export", "gguf", base, "--out", out]);
  expect(refused.code).toBe(1);
  expect(refused.err).toContain("a pattern of words that llama.cpp has not; --pre");
  const named = ["--pre", "qwen2", "--dtype", "q8_0"];
  await succeed(["export", "gguf", base, "--out", out, ...named]);
  expect((await readFile(out)).toString("latin1", 0, 4)).toBe("GGUF");
  const misnamed = await runCli(["export", "gguf", base, "--out", "base.bin"]);
  expect([misnamed.code, misnamed.err]).toEqual([2, expect.stringContaining("must end in .gguf")]);
});

it("a model is exported in another type and in shards, its files and its heads kept", async () => {
  await using workshop = await openWorkshop();
  const base = await makeBase(workshop.path("base"), { heads: ["score"] });
  const out = workshop.path("small");
  const shards = ["--max-shard-megabytes", "1"];
  await succeed(["export", "model", base, "--dtype", "bf16", ...shards, "--out", out]);
  const { tensors } = await readSafetensors(`${out}/model.safetensors`); // less than 1 MB
  expect([...new Set([...tensors.values()].map(({ dtype }) => dtype))]).toEqual(["BF16"]);
  const { heads } = JSON.parse((await succeed(["info", out, "--json"])).out) as { heads: string[] };
  expect(heads).toEqual(["score"]);
  await mkdir(workshop.path("taken"));
  await cp(`${base}/config.json`, workshop.path("taken/thesis.txt"));
  const taken = await runCli(["export", "model", base, "--out", workshop.path("taken")]);
  expect([taken.code, taken.err]).toEqual([1, expect.stringContaining("thesis.txt")]);
});
