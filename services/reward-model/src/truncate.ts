import { StagecraftError } from "@stagecraft/core";
import { keepEnd } from "@stagecraft/learn";

/** What happens to input longer than the model's context. */
export type Truncation = "refuse" | "keep_end";

export interface FittedTokens {
  ids: Int32Array;
  /** Tokens left out; 0 = nothing was cut. */
  numTruncated: number;
}

/** Fits tokens into `maxLength`; `keep_end` cuts as the training of reward models does. */
export function fitTokens(
  ids: Int32Array,
  { maxLength, truncation, field }: { maxLength: number; truncation: Truncation; field: string },
): FittedTokens {
  const numTruncated = Math.max(0, ids.length - maxLength);
  if (numTruncated === 0) return { ids, numTruncated };
  if (truncation === "refuse") throw tooLong(ids.length, maxLength, field);
  return { ids: keepEnd(ids, maxLength), numTruncated };
}

function tooLong(numTokens: number, maxLength: number, field: string): StagecraftError {
  return new StagecraftError(
    "invalid_argument",
    `${field} has ${numTokens} tokens, the model reads ${maxLength} at most; shorten it or ask for truncation keep_end`,
    { details: { field, numTokens, maxLength } },
  );
}
