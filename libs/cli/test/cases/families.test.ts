import { readFile } from "node:fs/promises";
import { ARCHITECTURES, type Architecture, type ModelConfig } from "@stagecraft/model";
import { expect, it } from "vitest";
import { example, makeBase, openWorkshop, succeed, writeRecords } from "./case-kit.js";

/** Each with what it adds. */
const FAMILIES: Readonly<Record<string, Partial<ModelConfig>>> = {
  gemma3_text: {
    ...{ numLayers: 2, slidingWindow: 9, windowLayers: [true, false], localRopeTheta: 100 },
    ...{ logitSoftcap: 20, attentionSoftcap: 30 },
  },
  gpt_neox: { rotaryFraction: 0.5 },
  llama: { bias: "attention", numKvHeads: 1 },
  gpt2: {},
  qwen2: {},
  qwen3: {},
  mistral: { slidingWindow: 9 },
  smollm3: { numLayers: 2, ropeLayers: [true, false] },
  phi3: { rotaryFraction: 0.5, slidingWindow: 9 },
  gemma2: {
    ...{ numLayers: 2, slidingWindow: 9, windowLayers: [true, false] },
    ...{ logitSoftcap: 20, attentionSoftcap: 30 },
  },
  olmo2: {},
  granite: { embeddingScale: 6, attentionScale: 0.2, residualScale: 0.4, logitDivisor: 3 },
};

/** Between them all that families add; `npm run test:interop -- stages` takes every one. */
const SOME = ["gemma3_text", "gpt_neox"];

it("no family is left out", () => {
  expect(Object.keys(FAMILIES).sort()).toEqual([...ARCHITECTURES].sort());
});

for (const architecture of process.env["EVERY_FAMILY"] ? ARCHITECTURES : SOME) {
  it(`every stage trains ${architecture}, with adapters too, and keeps what it is`, async () => {
    await using workshop = await openWorkshop();
    const kind = { architecture: architecture as Architecture, config: FAMILIES[architecture]! };
    const base = await makeBase(workshop.path("base"), { ...kind, contextLength: 48 });
    const questions = Array.from({ length: 8 }, (_, i) => `Q${i}`);
    const yes = questions.map((question) => example(question, "Yes."));
    const data = await writeRecords(workshop, "yes.jsonl", yes);
    const rankings = await writeRecords(
      workshop,
      "rank.jsonl",
      questions.map((content) => ({
        prompt: [{ role: "user", content }],
        answers: ["Yes.", "No."],
        ranks: [1, 2],
      })),
    );
    const prompts = await writeRecords(workshop, "prompts.jsonl", [{ id: "p", prompt: "Q0" }]);
    const pace = ["--epochs", "1", "--validation-fraction", "0"];
    const run = async (stage: string, name: string, ...flags: string[]) => {
      const directory = workshop.path(name);
      await succeed([stage, ...flags, "--run", directory]);
      const hf = await readFile(`${directory}/model/config.json`, "utf8");
      expect(JSON.parse(hf)).toMatchObject({ model_type: architecture });
      return `${directory}/model`;
    };
    const sft = await run("sft", "sft", "--model", base, "--data", data, "--no-pack", ...pace);
    await run("dpo", "dpo", "--model", sft, "--data", rankings, ...pace);
    const reward = await run("reward", "reward", "--model", sft, "--data", rankings, ...pace);
    const short = ["--updates", "1", "--prompts-per-update", "2", "--max-new-tokens", "4"];
    const models = ["--policy", sft, "--reward-model", reward, "--prompts", prompts];
    await run("ppo", "ppo", ...models, ...short, "--lora-rank", "2");
  }, 60_000);
}
