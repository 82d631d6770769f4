import { StagecraftError } from "@stagecraft/core";
import { nameRecord, namingRecord, readPrompts, type RecordOptions } from "@stagecraft/data";
import type { StageContext } from "@stagecraft/runs";
import { renderChat, type Message } from "@stagecraft/tokenizer";
import { smallestContext, type AnswerContext } from "./contexts.js";
import type { PreparedPrompt } from "./prompt-tasks.js";

export interface PromptLimits {
  /** Every model that reads prompt and answer; the first is the policy, whose tokens are kept. */
  contexts: readonly AnswerContext[];
  maxNewTokens: number;
  /** At most this many prompts; default all. */
  limit?: number;
  /** How records are read. */
  records?: RecordOptions;
}

/**
 * Prompts of files, rendered up to where the assistant speaks. Prompts that leave no room for
 * the answer in one of the contexts are left out with one warning that names some. Throws
 * invalid_argument when none remains.
 */
export async function loadPrompts(
  paths: readonly string[],
  { contexts, maxNewTokens, limit = Infinity, records = {} }: PromptLimits,
  { reporter, signal }: Pick<StageContext, "reporter" | "signal">,
): Promise<PreparedPrompt[]> {
  const prompts: PreparedPrompt[] = [];
  const tooLong: string[] = [];
  const fits = fittingPrompts(contexts, maxNewTokens);
  for await (const prompt of readPrompts(paths, { signal, ...records })) {
    const { id, messages } = prompt;
    const promptIds = namingRecord("prompt", prompt, () => fits(messages));
    if (promptIds === undefined) tooLong.push(nameRecord("prompt", prompt));
    else if (prompts.push({ id, messages, promptIds }) >= limit) break;
  }
  if (prompts.length > 0 && tooLong.length === 0) return prompts;
  const { name, maxPositions } = smallestContext(contexts);
  const room = `${maxPositions - maxNewTokens} tokens: the ${name} has ${maxPositions} positions and an answer needs ${maxNewTokens}`;
  if (prompts.length === 0) {
    throw new StagecraftError(
      "invalid_argument",
      `no usable prompt in ${paths.join(", ")} (${tooLong.length} have no room within ${room}); lower maxNewTokens, shorten them, or use a model of longer context`,
    );
  }
  reporter.warn(
    `${tooLong.length} of ${prompts.length + tooLong.length} prompts have no room within ${room}; left out: ${shown(tooLong)}`,
  );
  return prompts;
}

/** The policy's tokens of a prompt, or undefined when it is too long for one of the models. */
function fittingPrompts(contexts: readonly AnswerContext[], maxNewTokens: number) {
  return (messages: readonly Message[]): Int32Array | undefined => {
    let own: Int32Array | undefined;
    for (const { tokenizer, maxPositions } of contexts) {
      const { ids } = renderChat(tokenizer, [...messages], { addGenerationPrompt: true });
      if (ids.length + maxNewTokens > maxPositions) return undefined;
      own ??= ids;
    }
    return own;
  };
}

function shown(ids: readonly string[]): string {
  const more = ids.length - 5;
  return `${ids.slice(0, 5).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
