import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { deriveSeed, throwIfAborted } from "@stagecraft/core";
import {
  openJsonlAppender,
  writeRankings,
  type PromptRecord,
  type Ranking,
} from "@stagecraft/data";
import { generate, loadModel, loadTokenizerOf, type Model } from "@stagecraft/model";
import {
  recordFields,
  recordOptions,
  answerProblems,
  chatFields,
  commonFields,
  createThroughput,
  dataInputs,
  defineStage,
  modelInputs,
  type StageDefinition,
  type StageResult,
  type StageScope,
} from "@stagecraft/runs";
import { chatTemplateFile, renderChat, type Message, type Tokenizer } from "@stagecraft/tokenizer";
import { decimal, text, texts, whole } from "@stagecraft/fields";
import { z } from "zod";
import { readUsablePrompts } from "./usable-prompts.js";

/** The answers that a model gave to one prompt: a line of answers.jsonl, to be ranked. */
export interface AnswerSet {
  id: string;
  kind?: string;
  prompt: Message[];
  answers: string[];
  /** "eos", "stop" or "length" of each answer. */
  finishReasons: string[];
  /** The prompt's own ideal answer, when it has one. */
  reference?: string;
}

/** Ranks the answers to one prompt; undefined = not ranked. */
export type Ranker = (set: AnswerSet) => Promise<Ranking | undefined> | Ranking | undefined;

const schema = z.strictObject({
  model: text().describe("Model directory that answers, normally the SFT model"),
  prompts: texts().describe("JSONL files of prompts"),
  limit: whole({ default: 0 }).describe("At most this many prompts, 0 = all"),
  samplesPerPrompt: whole({ min: 1, max: 64, default: 4 }).describe(
    "Answers per prompt; 4 to 9 in InstructGPT",
  ),
  temperature: decimal({ max: 10, default: 1 }).describe("Sampling temperature, 0 = greedy"),
  topK: whole({ default: 0 }).describe("Draw from this many likeliest tokens, 0 = all"),
  topP: decimal({ above: 0, max: 1, default: 1 }).describe("Draw from this share of probability"),
  maxNewTokens: whole({ min: 1, default: 128 }).describe("Longest answer in tokens"),
  batchSize: whole({ min: 1, default: 32 }).describe("Answers generated at the same time"),
  ...chatFields,
  ...recordFields("prompts"),
  ...commonFields,
});

export type CollectConfig = z.infer<typeof schema>;

/** Samples several answers per prompt; with a ranker it also writes rankings.jsonl. */
export function createCollectStage(
  dependencies: { ranker?: Ranker } = {},
): StageDefinition<CollectConfig> {
  return defineStage({
    name: "collect",
    summary: "sample several answers per prompt, for people to rank",
    schema,
    examples: [
      "npx stagecraft collect --model runs/sft/model --prompts prompts.jsonl --run runs/answers",
      "npx stagecraft collect --model runs/sft/model --prompts prompts.jsonl --samples-per-prompt 9 --temperature 0.8 --run runs/answers9",
    ],
    inputs: ({ model, prompts, ...chosen }) => [
      ...modelInputs({ model }),
      ...dataInputs({ prompts, chatTemplate: chatTemplateFile(chosen) }),
    ],
    problems: ({ maxNewTokens, model }, ahead) => answerProblems(maxNewTokens, [model], ahead),
    outputs: ({ samplesPerPrompt }) => {
      const answers = { answersPerPrompt: samplesPerPrompt };
      return Promise.resolve({ answers, ...(dependencies.ranker && { rankings: {} }) });
    },
    leaves: { "answers.jsonl": "work", "rankings.jsonl": "work" },
    work: (config, scope) => collect(config, { ...scope, ...dependencies }),
  });
}

/** `collect` without a ranker: answers for people to rank. */
export const collectStage: StageDefinition<CollectConfig> = createCollectStage();

interface Scope extends StageScope {
  ranker?: Ranker;
}

async function collect(config: CollectConfig, scope: Scope): Promise<StageResult> {
  const tokenizer = await loadTokenizerOf(config.model, config);
  const model = await loadModel(config.model, { heads: ["lm"] });
  const file = join(scope.run.dir, "answers.jsonl");
  let tokensPerSecond: number;
  try {
    const { maxPositions } = model.config;
    const readers = [{ name: config.model, tokenizer, maxPositions }];
    const options = { readers, limit: config.limit, ...recordOptions(config, scope.context) };
    const prompts = await readUsablePrompts(config.prompts, options, scope.context);
    tokensPerSecond = await answerAll(prompts, { config, model, tokenizer, file, ...scope });
  } finally {
    model.dispose();
  }
  const { outputs, metrics } = await summarise(file, scope);
  return { outputs, metrics: { ...metrics, ...(tokensPerSecond > 0 && { tokensPerSecond }) } };
}

type Parts = Scope & {
  config: CollectConfig;
  model: Model;
  tokenizer: Tokenizer;
  file: string;
};

/**
 * Chunk after chunk is appended and forced to the disk; a resumed run continues after the last.
 * Returns the pace in tokens a second, 0 when there was nothing left to do.
 */
async function answerAll(prompts: readonly PromptRecord[], parts: Parts): Promise<number> {
  const { config, context, file } = parts;
  const perChunk = Math.max(1, Math.floor(config.batchSize / config.samplesPerPrompt));
  const throughput = createThroughput();
  const output = await openJsonlAppender(file); // completes or drops what a crash left half-written
  try {
    for (let start = await countLines(file); start < prompts.length; start += perChunk) {
      throwIfAborted(context.signal);
      const started = performance.now();
      const { sets, numTokens } = await answerChunk(prompts.slice(start, start + perChunk), parts);
      await output.append(...sets);
      await output.sync();
      throughput.add(numTokens, performance.now() - started);
      context.reporter.progress({
        stage: "collect",
        done: Math.min(start + perChunk, prompts.length) * config.samplesPerPrompt,
        total: prompts.length * config.samplesPerPrompt,
        unit: "answers",
        tokensPerSecond: throughput.tokensPerSecond(),
      });
    }
  } finally {
    await output.close();
  }
  return throughput.tokensPerSecond();
}

async function answerChunk(
  prompts: readonly PromptRecord[],
  { config, model, tokenizer, context }: Parts,
): Promise<{ sets: AnswerSet[]; numTokens: number }> {
  const { samplesPerPrompt, temperature, topK, topP, maxNewTokens } = config;
  const tasks = prompts.flatMap((prompt) =>
    Array.from({ length: samplesPerPrompt }, (_, sample) => ({ prompt, sample })),
  );
  const sequences = await generate(
    model,
    tasks.map(({ prompt }) => promptIds(prompt, tokenizer)),
    // The seed names prompt and sample, so that answers do not depend on batches or resumption.
    tasks.map(({ prompt, sample }) => ({
      temperature,
      topK,
      topP,
      maxNewTokens,
      seed: deriveSeed(config.seed, "collect", prompt.id, sample),
    })),
    { tokenizer, signal: context.signal, batchSize: config.batchSize },
  );
  const sets = prompts.map((prompt, p) => {
    const own = sequences.slice(p * samplesPerPrompt, (p + 1) * samplesPerPrompt);
    return toAnswerSet(prompt, {
      answers: own.map(({ ids, text }) => text ?? tokenizer.decode(ids)),
      finishReasons: own.map(({ finishReason }) => finishReason),
    });
  });
  return { sets, numTokens: sequences.reduce((sum, { ids }) => sum + ids.length, 0) };
}

function toAnswerSet(
  { id, kind, messages, reference }: PromptRecord,
  sampled: { answers: string[]; finishReasons: string[] },
): AnswerSet {
  return {
    id,
    ...(kind === undefined ? {} : { kind }),
    prompt: messages,
    ...sampled,
    ...(reference === undefined ? {} : { reference }),
  };
}

function promptIds({ messages }: PromptRecord, tokenizer: Tokenizer): Int32Array {
  return renderChat(tokenizer, messages, { addGenerationPrompt: true }).ids;
}

async function countLines(file: string): Promise<number> {
  return (await readFile(file)).filter((byte) => byte === 10).length;
}

async function summarise(file: string, { run, ranker }: Scope): Promise<StageResult> {
  const lines = (await readFile(file, "utf8")).split("\n").filter((line) => line !== "");
  const sets = lines.map((line) => JSON.parse(line) as AnswerSet);
  const outputs: Record<string, string> = { answers: file };
  const metrics: Record<string, number> = {
    prompts: sets.length,
    answers: sets.reduce((sum, { answers }) => sum + answers.length, 0),
  };
  if (ranker) {
    const rankings: Ranking[] = [];
    for (const set of sets) {
      const ranking = await ranker(set);
      if (ranking) rankings.push(ranking);
    }
    outputs["rankings"] = join(run.dir, "rankings.jsonl");
    metrics["rankings"] = rankings.length;
    await writeRankings(outputs["rankings"], rankings);
  }
  return { outputs, metrics };
}
