import { readdir, readFile } from "node:fs/promises";
import { readModelDirectory } from "@stagecraft/checkpoint";
import { expect, it } from "vitest";
import { example, makeBase, openWorkshop, succeed, writeRecords } from "./case-kit.js";

const questions = Array.from({ length: 8 }, (_, i) => `Q${i}`);

async function typeOf(model: string): Promise<string[]> {
  const { config, tensors } = await readModelDirectory(model);
  const types = new Set([...tensors.values()].map(({ dtype }) => dtype));
  return [String(config["dtype"]), ...types];
}

it("every stage writes its model in the type it came in, or in the one that is asked for", async () => {
  await using workshop = await openWorkshop();
  const base = await makeBase(workshop.path("base"), { dtype: "bf16", contextLength: 48 });
  const yes = questions.map((question) => example(question, "Yes."));
  const data = await writeRecords(workshop, "yes.jsonl", yes);
  const ranked = questions.map((content) => ({
    ...{ prompt: [{ role: "user", content }], answers: ["Yes.", "No."], ranks: [1, 2] },
  }));
  const rankings = await writeRecords(workshop, "rank.jsonl", ranked);
  const prompts = await writeRecords(workshop, "prompts.jsonl", [{ id: "p", prompt: "Q0" }]);
  const run = async (stage: string, name: string, ...flags: string[]) => {
    const directory = workshop.path(name);
    await succeed([stage, ...flags, "--run", directory]);
    return directory;
  };
  const pace = ["--epochs", "1", "--no-pack", "--validation-fraction", "0.3"];
  const sft = await run("sft", "sft", "--model", base, "--data", data, ...pace);
  expect(await typeOf(`${sft}/model`)).toEqual(["bfloat16", "BF16"]);
  expect(await typeOf(`${sft}/best`)).toEqual(["float32", "F32"]); // training's own

  const pair = ["--ensemble", "2", "--epochs", "1"];
  const from = ["--model", `${sft}/model`, "--data", rankings];
  const reward = await run("reward", "reward", ...from, ...pair);
  expect(await typeOf(`${reward}/model`)).toEqual(["bfloat16", "BF16"]);

  const asked = ["--dtype", "f16", "--max-shard-megabytes", "0.01"];
  const models = ["--policy", `${sft}/model`, "--reward-model", `${reward}/model`];
  const short = ["--updates", "1", "--prompts-per-update", "2", "--max-new-tokens", "4"];
  const ppo = await run("ppo", "ppo", ...models, "--prompts", prompts, ...short, ...asked);
  expect(await typeOf(`${ppo}/model`)).toEqual(["float16", "F16"]);
  const index = await readFile(`${ppo}/model/model.safetensors.index.json`, "utf8");
  const shards = new Set(Object.values((JSON.parse(index) as { weight_map: object }).weight_map));
  const files = (await readdir(`${ppo}/model`)).filter((file) => file.endsWith(".safetensors"));
  expect(files.sort()).toEqual([...shards].sort());
  expect(files.length).toBeGreaterThan(1);
  await succeed([
    "dpo",
    "--model",
    `${ppo}/model`,
    "--data",
    rankings,
    "--run",
    workshop.path("dpo"),
  ]);
  expect(await typeOf(workshop.path("dpo/model"))).toEqual(["float16", "F16"]);
}, 60_000);
