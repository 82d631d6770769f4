import { StagecraftError } from "@stagecraft/core";
import { nameRecord, readPrompts, type PromptRecord, type RecordOptions } from "@stagecraft/data";
import type { StageContext } from "@stagecraft/runs";
import { renderChat, type Tokenizer } from "@stagecraft/tokenizer";

/** A model that has to read every request, and write an answer or read one. */
export interface RequestReader {
  /** As a person knows it, such as its directory. */
  name: string;
  tokenizer: Tokenizer;
  maxPositions: number;
  /** Of a judge: the longest answer that it has to read whole. Default: room to write one token. */
  maxAnswerTokens?: number;
}

export interface ReadRequestsOptions extends RecordOptions {
  readers: readonly RequestReader[];
  /** At most this many, 0 = all. */
  limit?: number;
}

/** Requests that are named one by one before only their number is told. */
const MAX_NAMED = 5;

/**
 * The requests of files that every reader has room for; longer ones are left out with a warning
 * that names id, file and line. Throws `invalid_argument` when none remains.
 */
export async function readRequests(
  paths: readonly string[],
  { readers, limit = 0, ...records }: ReadRequestsOptions,
  { reporter, signal }: Pick<StageContext, "reporter" | "signal">,
): Promise<PromptRecord[]> {
  const requests: PromptRecord[] = [];
  let numTooLong = 0;
  for await (const request of readPrompts(paths, { signal, ...records })) {
    const problem = tooLongFor(request, readers);
    if (problem === undefined) requests.push(request);
    else if (++numTooLong <= MAX_NAMED) reporter.warn(problem);
    if (requests.length === limit && limit > 0) break;
  }
  if (numTooLong > MAX_NAMED) reporter.warn(`${numTooLong} requests in all are too long: left out`);
  if (requests.length > 0) return requests;
  const files = paths.join(", ");
  throw new StagecraftError(
    "invalid_argument",
    numTooLong > 0
      ? `no usable request in ${files}: all ${numTooLong} are too long; shorten them, or use a model of longer context`
      : `no request found in ${files}`,
    { details: { field: "prompts" } },
  );
}

function tooLongFor(request: PromptRecord, readers: readonly RequestReader[]): string | undefined {
  for (const { name, tokenizer, maxPositions, maxAnswerTokens = 0 } of readers) {
    const { ids } = renderChat(tokenizer, request.messages, { addGenerationPrompt: true });
    if (ids.length + maxAnswerTokens < maxPositions) continue; // one more: an answer's end
    const answer = maxAnswerTokens > 0 ? `an answer of ${maxAnswerTokens}` : "an answer";
    return `${nameRecord("request", request)} has ${ids.length} tokens and leaves no room for ${answer} in the ${maxPositions} of ${name}: left out`;
  }
  return undefined;
}
