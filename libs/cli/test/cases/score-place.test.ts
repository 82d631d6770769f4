import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { reward, toConversation, toTokens } from "@stagecraft/contracts";
import { createRpcClient, createRpcServer } from "@stagecraft/rpc";
import { openRewardModelService } from "@stagecraft/service-reward-model";
import { loadTokenizer, renderChat } from "@stagecraft/tokenizer";
import { expect, it } from "vitest";
import {
  chatmlFiles,
  example,
  makeBase,
  openWorkshop,
  readRecords,
  succeed,
  writeRecords,
  type Workshop,
} from "./case-kit.js";

const QUESTION = { role: "user", content: "Q0" } as const;
const ANSWER = { role: "assistant", content: "Yes." } as const;

/** What the reward stage says of the one answer that is its reference. */
async function trainReward(workshop: Workshop, model: string): Promise<number> {
  const rankings = Array.from({ length: 8 }, (_, i) => ({
    prompt: [{ role: "user", content: `Q${i}` }],
    answers: ["Yes.", "No."],
    ranks: [1, 2],
  }));
  const data = await writeRecords(workshop, "rank.jsonl", rankings);
  const references = await writeRecords(workshop, "ref.jsonl", [example("Q0", "Yes.")]);
  const pace = ["--epochs", "10", "--learning-rate", "0.01", "--validation-fraction", "0"];
  const files = ["--data", data, "--references", references, "--run", workshop.path("reward")];
  await succeed(["reward", "--model", model, ...pace, ...files]);
  const report = await readFile(join(workshop.path("reward"), "reward-report.json"), "utf8");
  return (JSON.parse(report) as { mean: number }).mean;
}

/** By text, by the tokens of a sampler, and by those of a template, which ends in a new line. */
async function scoreBatch(dir: string): Promise<number[]> {
  const batching = { maxBatch: 4, maxWaitMs: 0, maxQueued: 8, maxItemsPerRequest: 8 };
  const service = await openRewardModelService({ models: [{ name: "r", dir }], ...batching });
  await using server = createRpcServer();
  service.register(server);
  const { port } = await server.start();
  await using client = createRpcClient(reward.RewardServiceClient, `127.0.0.1:${port}`);
  const tokenizer = await loadTokenizer(dir);
  const template = renderChat(tokenizer, [QUESTION, ANSWER]).ids;
  const sampled = template.subarray(0, template.lastIndexOf(tokenizer.endIds[0]!) + 1);
  expect(sampled.length).toBe(template.length - 1);
  const tokens = [sampled, template].map((ids): reward.ScoreInput => {
    return { input: { $case: "tokens", value: toTokens(ids) } };
  });
  const text: reward.ScoreInput = {
    input: { $case: "conversation", value: toConversation([QUESTION, ANSWER]) },
  };
  const { scores } = await client.scoreBatch({
    model: { name: "", version: "" },
    items: [text, ...tokens],
    truncation: reward.TruncationPolicy.REFUSE,
  });
  await service.close();
  return scores.map(({ value }) => value);
}

it("one answer has one score: in training, evaluate, ScoreBatch by text and tokens, and PPO", async () => {
  await using workshop = await openWorkshop();
  const tokenizerFiles = await chatmlFiles();
  const base = await makeBase(workshop.path("base"), { tokenizerFiles, hiddenSize: 32 });
  const taught = Array.from({ length: 16 }, (_, i) => example(`Q${i % 8}`, "Yes."));
  const data = await writeRecords(workshop, "yes.jsonl", taught);
  const prompts = await writeRecords(workshop, "prompts.jsonl", [{ id: "p0", prompt: "Q0" }]);
  const pace = ["--epochs", "60", "--learning-rate", "0.02", "--warmup-steps", "0"];
  const how = ["--validation-fraction", "0", "--no-pack", ...pace];
  await succeed(["sft", "--model", base, "--data", data, ...how, "--run", workshop.path("sft")]);
  const model = join(workshop.path("sft"), "model");

  const trained = await trainReward(workshop, model);
  const rewardModel = join(workshop.path("reward"), "model");

  const judged = workshop.path("evaluation");
  const judge = ["--reward-model", rewardModel, "--temperature", "0", "--max-new-tokens", "20"];
  await succeed(["evaluate", "--models", model, "--prompts", prompts, ...judge, "--run", judged]);
  const [record] = await readRecords(join(judged, "answers.jsonl"));
  expect(record).toMatchObject({ answer: "Yes.", finishReason: "eos" });
  expect((record!["scores"] as { reward: number }).reward).toBeCloseTo(trained, 4);

  for (const score of await scoreBatch(rewardModel)) expect(score).toBeCloseTo(trained, 4);

  const ppo = workshop.path("ppo");
  const models = ["--policy", model, "--reward-model", rewardModel, "--prompts", prompts];
  const short = ["--updates", "1", "--prompts-per-update", "8", "--max-new-tokens", "8"];
  await succeed(["ppo", ...models, ...short, "--inspect-rollouts", "8", "--run", ppo]);
  const [file] = await readdir(join(ppo, "rollouts"));
  const rollouts = await readRecords(join(ppo, "rollouts", file!));
  const ended = rollouts.filter(({ answer, hasEos }) => answer === "Yes." && hasEos);
  expect(ended.length).toBeGreaterThan(0);
  // PPO counts from the mean of the references, which is this answer's own score.
  for (const { score } of ended) expect(score).toBeCloseTo(0, 4);
}, 120_000);
