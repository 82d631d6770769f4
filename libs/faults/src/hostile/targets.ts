import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  decodeSafetensors,
  encodeSafetensors,
  f32,
  readModelDescription,
} from "@stagecraft/checkpoint";
import { loadConfigFile } from "@stagecraft/config";
import {
  decodeMessage,
  events,
  feedback,
  parseDemonstration,
  parseFlag,
  parseGenerationInput,
  parsePromptTask,
  parseRanking,
  parseRollout,
  parseRunDirName,
  parseRunId,
  parseScoreInput,
  parseScoreLogProbsRequest,
  parseWeightsPublished,
  parseWeightVersion,
  policy,
  reward,
  rollout,
  trainer,
  type MessageCodec,
} from "@stagecraft/contracts";
import type { Random } from "@stagecraft/core";
import { readConversations, readPrompts, readRankings } from "@stagecraft/data";
import { fromHfConfig, presetConfig, toHfConfig } from "@stagecraft/model";
import { tokenizerFromFiles, trainBpe } from "@stagecraft/tokenizer";
import { mutateBytes, mutateValue } from "./mutate.js";

/** Something that reads what others wrote. */
export interface HostileTarget {
  name: string;
  /** The next input; equal generators give equal inputs. */
  make(random: Random): Uint8Array;
  /** Reads it; may throw a StagecraftError and nothing else. */
  read(input: Uint8Array): unknown;
}

const LIMITS = { vocabSize: 100, maxLength: 64 };
const ids = { ids: [1, 2, 3] };
const turn = {
  messages: [
    { role: 2, content: "Hi" },
    { role: 3, content: "Hello" },
  ],
};
const sampling = {
  temperature: 1,
  topP: 0.9,
  minP: 0.1,
  repetitionPenalty: 1.1,
  maxNewTokens: 4,
  stop: ["x"],
  seed: 1n,
};
const weights = { version: 1, sha256: "a".repeat(64), step: 1n, sizeBytes: 1n };
const input = { prompt: { $case: "conversation", value: turn }, sampling, minWeightVersion: 0 };
const item = { input: { $case: "tokens", value: ids } };

/** Every message of RPCs and bus, and every file format; `dir` is for files. Add attacks here. */
export async function hostileTargets(dir: string): Promise<HostileTarget[]> {
  return [...messageTargets(), ...(await fileTargets(dir))];
}

function messageTargets(): HostileTarget[] {
  return [
    message("policy.Generate", policy.GenerateRequest, { model: "", input, requestId: "r" }, (m) =>
      parseGenerationInput(m.input, "input", LIMITS),
    ),
    message("policy.GenerateBatch", policy.GenerateBatchRequest, { inputs: [input, input] }, (m) =>
      m.inputs.map((each) => parseGenerationInput(each, "inputs", LIMITS)),
    ),
    message(
      "policy.ScoreLogProbs",
      policy.ScoreLogProbsRequest,
      { sequences: [ids], promptLengths: [1], temperature: 1 },
      (m) => parseScoreLogProbsRequest(m, { ...LIMITS, maxSequences: 16 }),
    ),
    message("policy.LoadWeights", policy.LoadWeightsRequest, { weights }, (m) =>
      parseWeightVersion(m.weights, "weights"),
    ),
    message("reward.ScoreBatch", reward.ScoreBatchRequest, { items: [item, item] }, (m) =>
      m.items.map((each) => parseScoreInput(each, "items", LIMITS)),
    ),
    message("reward.ScoreStream", reward.ScoreStreamRequest, { itemId: "1", item }, (m) =>
      parseScoreInput(m.item, "item", LIMITS),
    ),
    message("rollout.SetConcurrency", rollout.SetConcurrencyRequest, { concurrency: 4 }, (m) => m),
    message("trainer.CreateRun", trainer.CreateRunRequest, { runId: "a", runDir: "b" }, (m) => [
      parseRunId(m.runId),
      parseRunDirName(m.runDir),
    ]),
    message(
      "feedback.SubmitRanking",
      feedback.Ranking,
      { prompt: turn, answers: ["a", "b"], ranks: [1, 2] },
      (m) => parseRanking(m),
    ),
    message("feedback.SubmitDemonstration", feedback.Demonstration, { conversation: turn }, (m) =>
      parseDemonstration(m),
    ),
    message(
      "feedback.SubmitFlag",
      feedback.Flag,
      { conversation: turn, reason: 1, comment: "c" },
      (m) => parseFlag(m),
    ),
    message(
      "bus.PromptTask",
      events.PromptTask,
      { taskId: "u000000-000000", runId: "r", conversation: turn, prompt: ids, sampling },
      (m) => parsePromptTask(m, LIMITS),
    ),
    message(
      "bus.Rollout",
      events.Rollout,
      {
        ...{ rolloutId: "t/rollout", taskId: "t", runId: "r", prompt: ids, response: ids },
        ...{ logProbs: [-1, -1, -1], weightVersions: [1, 1, 1], finishReason: 1, score: 1 },
        ...{
          scoreParts: [{ source: "rm", version: "1", value: 1, weight: 1 }],
          weights: [weights],
        },
      },
      (m) => parseRollout(m, LIMITS),
    ),
    message("bus.WeightsPublished", events.WeightsPublished, { runId: "r", weights }, (m) =>
      parseWeightsPublished(m),
    ),
  ];
}

type Codec<T> = MessageCodec<T> & { fromPartial(partial: never): T };

/** Good messages with values changed, and their bytes with bytes changed. */
function message<T>(
  name: string,
  codec: Codec<T>,
  example: object,
  parse: (decoded: T) => unknown,
): HostileTarget {
  const encode = (value: unknown) => codec.encode(codec.fromPartial(value as never)).finish();
  return {
    name,
    make(random) {
      try {
        const bytes = encode(mutateValue(example, random));
        return random.nextInt(2) === 0 ? bytes : mutateBytes(bytes, random);
      } catch {
        return mutateBytes(encode(example), random); // no message can say that
      }
    },
    read: (bytes) => parse(decodeMessage(codec, bytes, name)),
  };
}

async function fileTargets(dir: string): Promise<HostileTarget[]> {
  const trained = await trainBpe(["the cat sat on the mat"], { vocabSize: 280 });
  const tokenizer = JSON.parse(trained.files()["tokenizer.json"]!) as object;
  const hf = toHfConfig(
    presetConfig("llama", {
      vocabSize: 50,
      hiddenSize: 16,
      numLayers: 1,
      numHeads: 2,
      maxPositions: 32,
    }),
  );
  const tensors = new Map([["w", f32([2, 2], new Float32Array(4))]]);
  const safetensors = encodeSafetensors(tensors);
  const tokenizerOf = (text: string) =>
    tokenizerFromFiles({ "tokenizer.json": text }).encode("the cat");
  return [
    {
      name: "model.safetensors",
      make: (random) => mutateBytes(safetensors, random),
      read: (bytes) => decodeSafetensors(bytes, "model.safetensors"),
    },
    json("tokenizer.json", tokenizer, (text) => tokenizerOf(text)),
    json("config.json", hf, async (text) => {
      await inFile(join(dir, "config.json"), text, async () => {
        fromHfConfig((await readModelDescription(dir)).config);
      });
    }),
    json("pipeline.yaml", { stages: [{ name: "a", stage: "sft", config: { seed: 1 } }] }, (text) =>
      inFile(join(dir, "x.yaml"), text, loadConfigFile),
    ),
    json(
      "conversations.jsonl",
      {
        messages: [
          { role: "user", content: "a" },
          { role: "assistant", content: "b" },
        ],
      },
      (text) => inFile(join(dir, "c.jsonl"), text, (file) => drain(readConversations(file))),
    ),
    json("rankings.jsonl", { prompt: "a", answers: ["b", "c"], ranks: [1, 2] }, (text) =>
      inFile(join(dir, "r.jsonl"), text, (file) => drain(readRankings(file))),
    ),
    json("prompts.jsonl", { id: "1", prompt: "a" }, (text) =>
      inFile(join(dir, "p.jsonl"), text, (file) => drain(readPrompts(file))),
    ),
  ];
}

/** Texts of one value, changed as a value or as bytes. */
function json(name: string, example: object, read: (text: string) => unknown): HostileTarget {
  return {
    name,
    make(random) {
      const value = random.nextInt(3) === 0 ? example : mutateValue(example, random);
      const bytes = Buffer.from(JSON.stringify(value) ?? "");
      return random.nextInt(2) === 0 ? bytes : mutateBytes(bytes, random);
    },
    read: (bytes) => read(Buffer.from(bytes).toString("utf8")),
  };
}

async function inFile(file: string, text: string, read: (file: string) => unknown): Promise<void> {
  await writeFile(file, text);
  try {
    await read(file);
  } finally {
    await rm(file, { force: true });
  }
}

async function drain(records: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of records);
}
