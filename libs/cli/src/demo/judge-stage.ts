import { join } from "node:path";
import { z } from "zod";
import { atomicWriteFile } from "@stagecraft/checkpoint";
import { readPrompts, type PromptRecord } from "@stagecraft/data";
import { countMatches, isExactMatch, winRate } from "@stagecraft/eval";
import { commonFields, withRun, type StageContext, type StageDefinition } from "@stagecraft/learn";
import { initEngine } from "@stagecraft/tensor";
import { COURTESIES, createWorld, type World } from "@stagecraft/world";
import { answerRequests } from "./answer-requests.js";

const schema = z.strictObject({
  base: z.string().min(1).describe("Model directory of the base model"),
  sft: z.string().min(1).describe("Model directory of the SFT model"),
  ppo: z.string().min(1).describe("Model directory of the PPO model"),
  requests: z.string().min(1).describe("Held-out requests (JSONL)"),
  worldSize: z.enum(["demo", "tiny"]).describe("Size of the world the requests come from"),
  worldSeed: z.number().int().min(0).describe("Seed of that world"),
  maxNewTokens: z.number().int().min(1).default(48).describe("Longest answer in tokens"),
  temperature: z.number().min(0).default(0).describe("0: always the likeliest token"),
  ...commonFields,
});
type JudgeConfig = z.infer<typeof schema>;

/** The models the demo compares, in the order they came about. */
export const JUDGED_MODELS = ["base", "sft", "ppo"] as const;
export type JudgedModel = (typeof JUDGED_MODELS)[number];

/** A model's answer to one held-out request, as the noise-free rubric sees it. */
export interface JudgedAnswer {
  text: string;
  numTokens: number;
  /** 0 to 1. */
  gold: number;
  /** undefined where no exact answer exists. */
  exact?: boolean;
}

/** One held-out request with every model's answer. */
export interface JudgedRequest {
  id: string;
  kind: string;
  request: string;
  reference: string;
  answers: Record<JudgedModel, JudgedAnswer>;
}

/** Lets base, SFT and PPO model answer the held-out requests and scores them with the gold rubric. */
export const judgeStage: StageDefinition<JudgeConfig> = {
  name: "judge",
  summary: "held-out requests: base against SFT against PPO, by the noise-free rubric",
  schema,
  examples: [],
  run: (config, context) =>
    withRun({ stage: "judge", config, context }, async (run) => {
      await initEngine({ engine: config.engine, numThreads: config.threads });
      const judged = await judgeAll(config, context);
      const file = join(run.dir, "judged.jsonl");
      await atomicWriteFile(file, judged.map((each) => `${JSON.stringify(each)}\n`).join(""));
      return { outputs: { judged: file }, metrics: judgeMetrics(judged) };
    }),
};

async function judgeAll(config: JudgeConfig, context: StageContext): Promise<JudgedRequest[]> {
  const world = createWorld({ seed: config.worldSeed, size: config.worldSize });
  const requests: PromptRecord[] = [];
  for await (const request of readPrompts(config.requests)) requests.push(request);
  const answers = {} as Record<JudgedModel, JudgedAnswer[]>;
  for (const model of JUDGED_MODELS) {
    const texts = await answerRequests(config[model], requests, { config, context, label: model });
    answers[model] = texts.map((answer, i) => judgeAnswer(world, requests[i]!, answer));
  }
  return requests.map((request, i) => ({
    id: request.id,
    kind: request.kind ?? "other",
    request: request.messages.at(-1)?.content ?? "",
    reference: request.reference ?? "",
    answers: { base: answers.base[i]!, sft: answers.sft[i]!, ppo: answers.ppo[i]! },
  }));
}

function judgeAnswer(
  world: World,
  request: PromptRecord,
  { text, numTokens }: { text: string; numTokens: number },
): JudgedAnswer {
  const exact = isExactMatch(request, text, { courtesies: COURTESIES });
  const gold = world.goldScore(request, text).total;
  return { text, numTokens, gold, ...(exact !== undefined && { exact }) };
}

/** Figures of every model (`sftExact`, `ppoGold`, …) and PPO's win rate against SFT. */
export function judgeMetrics(judged: readonly JudgedRequest[]): Record<string, number> {
  const metrics: Record<string, number> = {};
  for (const model of JUDGED_MODELS) {
    const answers = judged.map((request) => request.answers[model]);
    metrics[`${model}Exact`] = countMatches(answers).overall.rate;
    metrics[`${model}Gold`] = mean(answers.map(({ gold }) => gold));
    metrics[`${model}Length`] = mean(answers.map(({ numTokens }) => numTokens));
  }
  const golds = (model: JudgedModel) => judged.map(({ answers }) => answers[model].gold);
  metrics["ppoWinRate"] = winRate(golds("ppo"), golds("sft")).rate;
  return metrics;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
