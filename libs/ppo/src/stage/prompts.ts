import { StagecraftError } from "@stagecraft/core";
import { readPrompts } from "@stagecraft/data";
import type { StageContext } from "@stagecraft/learn";
import { renderChat, type Tokenizer } from "@stagecraft/tokenizer";
import type { PreparedPrompt } from "./prompt-tasks.js";

export interface PromptLimits {
  tokenizer: Tokenizer;
  /** Longest prompt in tokens that leaves room for the answer. */
  maxPromptTokens: number;
  /** At most this many prompts; default all. */
  limit?: number;
}

/**
 * Requests of JSONL files, rendered up to where the assistant speaks. Requests that are too long for
 * the model are left out with one warning. Throws invalid_argument when none remains.
 */
export async function loadPrompts(
  paths: readonly string[],
  { tokenizer, maxPromptTokens, limit = Infinity }: PromptLimits,
  { reporter, signal }: Pick<StageContext, "reporter" | "signal">,
): Promise<PreparedPrompt[]> {
  const prompts: PreparedPrompt[] = [];
  let tooLong = 0;
  for await (const { id, messages } of readPrompts(paths, { signal })) {
    const promptIds = renderChat(tokenizer, messages, { addGenerationPrompt: true }).ids;
    if (promptIds.length > maxPromptTokens) tooLong++;
    else if (prompts.push({ id, messages, promptIds }) >= limit) break;
  }
  if (prompts.length === 0) {
    throw new StagecraftError(
      "invalid_argument",
      `no usable request in ${paths.join(", ")} (${tooLong} longer than ${maxPromptTokens} tokens; lower maxNewTokens or shorten them)`,
    );
  }
  if (tooLong > 0) {
    reporter.warn(`${tooLong} requests are longer than ${maxPromptTokens} tokens and left out`);
  }
  return prompts;
}
