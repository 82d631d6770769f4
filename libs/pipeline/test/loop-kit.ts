import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readSafetensors } from "@stagecraft/checkpoint";
import { writeJsonl } from "@stagecraft/data";
import { createModel, presetConfig, saveModel } from "@stagecraft/model";
import { silentReporter, type StageReporter } from "@stagecraft/runs";
import { trainCharTokenizer } from "@stagecraft/tokenizer";
import { loopSchema } from "../src/loop/loop-config.js";
import { createLoopStage, type LoopDependencies } from "../src/loop/loop-stage.js";
import type { LoopRound } from "../src/loop/loop-state.js";
import type { LoopRanker } from "../src/loop/ranker-definition.js";

/** Rater who counts the letter a. */
export const ranker: LoopRanker = ({ id, prompt, answers }) => {
  const counts = answers.map((answer) => answer.split("a").length);
  const order = [...new Set(counts)].sort((x, y) => y - x);
  return { id, prompt, answers, ranks: counts.map((count) => order.indexOf(count) + 1) };
};

/** A tiny model, prompts, and settings of PPO and reward in a folder. */
export async function writeInputs(dir: string): Promise<void> {
  const tokenizer = await trainCharTokenizer(["abcdefgh ."]);
  const sizes = { vocabSize: tokenizer.vocabSize, hiddenSize: 16, numLayers: 1, numHeads: 2 };
  const model = createModel(presetConfig("llama", { ...sizes, maxPositions: 32 }), { seed: 4 });
  await saveModel(join(dir, "sft"), model, { tokenizerFiles: tokenizer.files() });
  model.dispose();
  const letters = [..."abcdefgh"].flatMap((a) => [..."abc"].map((b) => a + b));
  await writeJsonl(
    join(dir, "prompts.jsonl"),
    letters.map((content, i) => ({ id: `p${i}`, messages: [{ role: "user", content }] })),
  );
  const ppo = "promptsPerUpdate: 4\nupdates: 2\nepochs: 1\ncheckpointEvery: 1\nklTarget: 0.01\n";
  await writeFile(join(dir, "ppo.yaml"), ppo);
  await writeFile(join(dir, "reward.yaml"), "batchSize: 8\nepochs: 2\nlearningRate: 0.01\n");
}

export interface LoopOptions {
  /** Default: the rater who counts. */
  dependencies?: LoopDependencies;
  config?: object;
  resume?: boolean;
  signal?: AbortSignal;
  reporter?: Partial<StageReporter>;
}

/** Two rounds of a loop over `writeInputs`, in the run directory `dir/name`. */
export function runLoop(dir: string, name: string, options: LoopOptions = {}) {
  const { config = {}, resume = false, signal, reporter, dependencies = { ranker } } = options;
  const parsed = loopSchema.parse({
    policy: join(dir, "sft"),
    prompts: [join(dir, "prompts.jsonl")],
    ppoConfig: join(dir, "ppo.yaml"),
    rewardConfig: join(dir, "reward.yaml"),
    promptsPerRound: 12,
    samplesPerPrompt: 3,
    maxNewTokens: 5,
    heldOutFraction: 0.3,
    minHeldOutPairs: 1,
    rounds: 2,
    threads: 1,
    ...config,
  });
  return createLoopStage(dependencies).run(parsed, {
    runDir: join(dir, name),
    resume,
    signal: signal ?? new AbortController().signal,
    reporter: silentReporter(reporter),
  });
}

/** The finished rounds of a loop. */
export async function rounds(dir: string, name: string): Promise<LoopRound[]> {
  const text = await readFile(join(dir, name, "loop.jsonl"), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as LoopRound);
}

/** Every weight of a model directory. */
export const weightsOf = async (modelDir: string) =>
  [...(await readSafetensors(join(modelDir, "model.safetensors"))).tensors.values()].flatMap(
    ({ data }) => [...(data as Float32Array)],
  );
