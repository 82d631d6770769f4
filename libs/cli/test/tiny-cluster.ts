import { existsSync } from "node:fs";
import { join } from "node:path";
import { writeJsonl } from "@stagecraft/data";
import { createModel, presetConfig, saveModel } from "@stagecraft/model";
import { initEngine } from "@stagecraft/tensor";
import { hasNatsServer, NATS_MISSING } from "@stagecraft/testing";
import { trainCharTokenizer } from "@stagecraft/tokenizer";
import { ROOT, spawnCli } from "./spawn-cli.js";
import type { Workshop } from "./tiny-model.js";

/** Random models of a few hundred weights that share a tokenizer, and some prompts. */
export async function writeTinyWorld(dir: string): Promise<void> {
  await initEngine({ engine: "cpu" });
  const tokenizer = await trainCharTokenizer(["abcdefghijklmnopqrstuvwxyz .?"]);
  const sizes = { hiddenSize: 8, numLayers: 1, numHeads: 2, maxPositions: 40 };
  const config = presetConfig("llama", { vocabSize: tokenizer.vocabSize, ...sizes });
  for (const [name, seed, head] of [
    ["policy", 1, "lm"],
    ["reward", 2, "score"],
  ] as const) {
    const model = createModel(config, { seed, heads: [head] });
    await saveModel(`${dir}/${name}`, model, { tokenizerFiles: tokenizer.files() });
    model.dispose();
  }
  const prompts = ["hi", "who?", "a cat"].map((content, i) => ({
    id: `p${i}`,
    messages: [{ role: "user", content }],
  }));
  await writeJsonl(`${dir}/prompts.jsonl`, prompts);
}

const SERVICES = ["policy", "reward-model", "rollout", "trainer", "gateway"];

/** Why no cluster can be started here; undefined = one can. */
export function clusterProblem(): string | undefined {
  if (!hasNatsServer()) return NATS_MISSING;
  const mains = SERVICES.map((name) => join(ROOT, "services", name, "dist/main.js"));
  return mains.every((file) => existsSync(file))
    ? undefined
    : "services are not built (npm run build)";
}

/** `stagecraft up` in the foreground; children end with it, so a failed test leaves nothing. */
export function startUp({ path, dir }: Workshop, ...flags: string[]) {
  const up = spawnCli([
    ...["up", "--dir", path("cluster"), "--runs", path("runs"), "--read", dir, "--json"],
    ...["--policy-model", path("policy"), "--reward-model", path("reward")],
    ...["--policies", "1", "--engine", "cpu", "--threads", "1", ...flags],
  ]);
  return Object.assign(up, { [Symbol.dispose]: () => up.kill("SIGKILL") });
}
