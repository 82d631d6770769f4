// A tiny cluster for the example clients: random models, all four services in one process. Prints its
// addresses and a config for a PPO run as one line of JSON, and ends when its input ends.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createModel, presetConfig, saveModel } from "@stagecraft/model";
import { initEngine } from "@stagecraft/tensor";
import { trainCharTokenizer } from "@stagecraft/tokenizer";
import { createEmbeddedCluster } from "../../libs/pipeline/dist/index.js";

const dir = await mkdtemp(join(tmpdir(), "stagecraft-example-"));
await initEngine({ numThreads: 1 });
const tokenizer = await trainCharTokenizer([
  "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ.,?!'",
]);
const sizes = { hiddenSize: 32, numLayers: 2, numHeads: 2, maxPositions: 128 };
const modelConfig = presetConfig("llama", { vocabSize: tokenizer.vocabSize, ...sizes });
for (const [name, head, seed] of [
  ["policy", "lm", 1],
  ["reward", "score", 2],
]) {
  const model = createModel(modelConfig, { seed, heads: [head] });
  await saveModel(join(dir, name), model, { tokenizerFiles: tokenizer.files() });
  model.dispose();
}
const prompts = ["Hello", "Who are you?", "Tell me a story", "Why?"].map((content, i) =>
  JSON.stringify({ id: `p${i}`, messages: [{ role: "user", content }] }),
);
await writeFile(join(dir, "prompts.jsonl"), prompts.join("\n"));

const cluster = await createEmbeddedCluster({
  policyModelDir: join(dir, "policy"),
  rewardModelDir: join(dir, "reward"),
  runDir: join(dir, "runs", "ppo"),
});
const { policy, rewardModel, trainer } = cluster.addresses;
const run = {
  policy: join(dir, "policy"),
  rewardModel: join(dir, "reward"),
  prompts: [join(dir, "prompts.jsonl")],
  updates: 5,
  promptsPerUpdate: 4,
  maxNewTokens: 16,
  epochs: 1,
  threads: 1,
};
process.stdout.write(`${JSON.stringify({ policy, reward: rewardModel, trainer, run })}\n`);

process.stdin.resume();
process.stdin.once("end", async () => {
  await cluster.close();
  await rm(dir, { recursive: true, force: true });
  process.exit(0);
});
