import { deriveSeed } from "@stagecraft/core";
import type { PromptRecord } from "@stagecraft/data";
import type { StageContext } from "@stagecraft/learn";
import { generate, loadModel } from "@stagecraft/model";
import { loadTokenizer, renderChat } from "@stagecraft/tokenizer";

export interface AnswerRequestsOptions {
  config: { maxNewTokens: number; temperature: number; seed: number };
  context: Pick<StageContext, "signal" | "reporter">;
  /** Names the model in the progress line. */
  label: string;
}

/** One answer of a model to each request, in order; lengths count tokens, the end token included. */
export async function answerRequests(
  modelDir: string,
  requests: readonly PromptRecord[],
  { config, context, label }: AnswerRequestsOptions,
): Promise<{ text: string; numTokens: number }[]> {
  const tokenizer = await loadTokenizer(modelDir);
  const model = await loadModel(modelDir, { heads: ["lm"] });
  try {
    const prompts = requests.map(
      ({ messages }) => renderChat(tokenizer, messages, { addGenerationPrompt: true }).ids,
    );
    const sampling = requests.map((_, i) => ({
      temperature: config.temperature,
      maxNewTokens: config.maxNewTokens,
      seed: deriveSeed(config.seed, "judge", i),
    }));
    const total = prompts.length;
    context.reporter.progress({ stage: `answers of ${label}`, done: 0, total, unit: "answers" });
    const sequences = await generate(model, prompts, sampling, {
      tokenizer,
      signal: context.signal,
    });
    context.reporter.progress({
      stage: `answers of ${label}`,
      done: total,
      total,
      unit: "answers",
    });
    return sequences.map(({ ids }) => ({ text: tokenizer.decode(ids), numTokens: ids.length }));
  } finally {
    model.dispose();
  }
}
