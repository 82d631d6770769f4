import { deriveSeed } from "@stagecraft/core";
import type { PromptRecord } from "@stagecraft/data";
import { generate, type Model } from "@stagecraft/model";
import { renderChat, type Tokenizer } from "@stagecraft/tokenizer";
import { isExactMatch } from "../exact-match.js";
import type { AnswerRecord, AnswerScorers } from "./answer-record.js";
import type { Contestant, EvaluateConfig } from "./config.js";
import type { RewardScorer } from "./reward-scorer.js";

export interface AnsweringParts {
  readonly config: EvaluateConfig;
  readonly named: Contestant;
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  readonly scorers: AnswerScorers;
  readonly rewardScorer?: RewardScorer | undefined;
  readonly signal: AbortSignal;
}

/** Answers and judges some prompts. The draws depend on model name, prompt and seed alone. */
export async function answerPrompts(
  prompts: readonly PromptRecord[],
  parts: AnsweringParts,
): Promise<AnswerRecord[]> {
  const drafts = await sampleDrafts(prompts, parts);
  const records: AnswerRecord[] = [];
  for (const [i, prompt] of prompts.entries()) {
    records.push(await judge(prompt, drafts[i]!, parts));
  }
  return records;
}

interface Draft {
  readonly text: string;
  readonly numTokens: number;
  readonly finishReason: string;
}

async function sampleDrafts(
  prompts: readonly PromptRecord[],
  { config, named, model, tokenizer, signal }: AnsweringParts,
): Promise<Draft[][]> {
  const { topK, topP, maxNewTokens, batchSize, seed } = config;
  const { bestOf, temperature } = named;
  const tasks = prompts.flatMap((prompt) =>
    Array.from({ length: bestOf }, (_, sample) => ({ prompt, sample })),
  );
  const sequences = await generate(
    model,
    tasks.map(({ prompt }) => {
      return renderChat(tokenizer, prompt.messages, { addGenerationPrompt: true }).ids;
    }),
    tasks.map(({ prompt, sample }) => ({
      temperature,
      topK,
      topP,
      maxNewTokens,
      seed: deriveSeed(seed, "evaluate", named.name, prompt.id, sample),
    })),
    { tokenizer, signal, batchSize },
  );
  const drafts = sequences.map(({ ids, text, finishReason }) => ({
    text: text ?? tokenizer.decode(ids),
    numTokens: ids.length,
    finishReason,
  }));
  return prompts.map((_, i) => drafts.slice(i * bestOf, (i + 1) * bestOf));
}

async function judge(
  prompt: PromptRecord,
  drafts: readonly Draft[],
  { config, named, scorers, rewardScorer }: AnsweringParts,
): Promise<AnswerRecord> {
  const rewards = rewardScorer?.score(
    prompt,
    drafts.map(({ text }) => text), // as it was sampled, as PPO scores it
  );
  const best = rewards === undefined ? 0 : rewards.indexOf(Math.max(...rewards));
  const { text, numTokens, finishReason } = drafts[best]!;
  const answer = text.trim();
  const exact = isExactMatch(prompt, answer, { courtesies: config.courtesies });
  const scores: Record<string, number> = {};
  for (const [name, scorer] of Object.entries(scorers)) scores[name] = await scorer(prompt, answer);
  if (rewards !== undefined) scores["reward"] = rewards[best]!;
  return {
    model: named.name,
    id: prompt.id,
    ...(prompt.kind === undefined ? {} : { kind: prompt.kind }),
    prompt: prompt.messages.at(-1)!.content,
    answer,
    numTokens,
    finishReason,
    ...(exact === undefined ? {} : { exact }),
    scores,
  };
}
