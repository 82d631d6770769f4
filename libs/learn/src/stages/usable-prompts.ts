import { StagecraftError } from "@stagecraft/core";
import {
  nameRecord,
  namingRecord,
  readPrompts,
  type PromptRecord,
  type RecordOptions,
} from "@stagecraft/data";
import type { StageContext } from "@stagecraft/runs";
import { renderChat, type Tokenizer } from "@stagecraft/tokenizer";

/** A model that has to read every prompt, and write an answer or read one. */
export interface PromptReader {
  /** As a person knows it, such as its directory. */
  name: string;
  tokenizer: Tokenizer;
  maxPositions: number;
  /** Of a judge: the longest answer that it has to read whole. Default: room to write one token. */
  maxAnswerTokens?: number;
}

export interface UsablePromptsOptions extends RecordOptions {
  readers: readonly PromptReader[];
  /** At most this many, 0 = all. */
  limit?: number;
}

/** Prompts that are named one by one before only their number is told. */
const MAX_NAMED = 5;

/**
 * The prompts of files that every reader has room for; longer ones are left out with a warning
 * that names id, file and line. Throws `invalid_argument` when none remains.
 */
export async function readUsablePrompts(
  paths: readonly string[],
  { readers, limit = 0, ...records }: UsablePromptsOptions,
  { reporter, signal }: Pick<StageContext, "reporter" | "signal">,
): Promise<PromptRecord[]> {
  const prompts: PromptRecord[] = [];
  let numTooLong = 0;
  for await (const prompt of readPrompts(paths, { signal, ...records })) {
    const problem = namingRecord("prompt", prompt, () => tooLongFor(prompt, readers));
    if (problem === undefined) prompts.push(prompt);
    else if (++numTooLong <= MAX_NAMED) reporter.warn(problem);
    if (prompts.length === limit && limit > 0) break;
  }
  if (numTooLong > MAX_NAMED) reporter.warn(`${numTooLong} prompts in all are too long: left out`);
  if (prompts.length > 0) return prompts;
  const files = paths.join(", ");
  throw new StagecraftError(
    "invalid_argument",
    numTooLong > 0
      ? `no usable prompt in ${files}: all ${numTooLong} are too long; shorten them, or use a model of longer context`
      : `no prompt found in ${files}`,
    { details: { field: "prompts" } },
  );
}

function tooLongFor(prompt: PromptRecord, readers: readonly PromptReader[]): string | undefined {
  for (const { name, tokenizer, maxPositions, maxAnswerTokens = 0 } of readers) {
    const { ids } = renderChat(tokenizer, prompt.messages, { addGenerationPrompt: true });
    if (ids.length + maxAnswerTokens < maxPositions) continue; // one more: an answer's end
    const answer = maxAnswerTokens > 0 ? `an answer of ${maxAnswerTokens}` : "an answer";
    return `${nameRecord("prompt", prompt)} has ${ids.length} tokens and leaves no room for ${answer} in the ${maxPositions} of ${name}: left out`;
  }
  return undefined;
}
