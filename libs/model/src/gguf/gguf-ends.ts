/** The tokens that end an answer, in llama.cpp's words: it has three places, and knows others by their texts. */
import { StagecraftError } from "@stagecraft/core";
import type { Tokenizer } from "@stagecraft/tokenizer";

/** Tokens of these texts end an answer in llama.cpp, whatever a file says (src/llama-vocab.cpp). */
export const KNOWN_ENDS: ReadonlySet<string> = new Set([
  ...["<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>"],
  ...["<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]"],
  ...["<|end_of_text|>", "<end_of_utterance>", "<eos>", "<turn|>", "<|tool_response>", "[e~["],
  "<｜end▁of▁sentence｜>",
]);

export interface GgufEnds {
  readonly eos: number;
  readonly eot?: number;
  readonly eom?: number;
  /** Tokens that end an answer in llama.cpp and not here. */
  readonly more: readonly string[];
}

/**
 * Where each end goes. Throws `unimplemented` for more ends than there are places, and for a model without
 * one, where llama.cpp would take token 11.
 * @param eos what the tokenizer calls `eos_token`
 */
export function ggufEnds(
  tokenizer: Pick<Tokenizer, "endIds" | "tokenOf" | "idOf">,
  { eos, origin }: { eos: number | undefined; origin: string },
): GgufEnds {
  const { endIds } = tokenizer;
  const first = eos ?? endIds[0];
  if (first === undefined) {
    throw refusal(origin, "no token ends an answer: name one by eos_token_id");
  }
  const isKnown = (id: number) => KNOWN_ENDS.has(tokenizer.tokenOf(id));
  const placed = endIds.filter((id, i) => id !== first && (i === 0 || !isKnown(id)));
  const [eot, eom, ...lost] = placed;
  if (lost.length > 0) {
    const names = lost.map((id) => tokenizer.tokenOf(id)).join(", ");
    throw refusal(origin, `more than 3 tokens end an answer; leave ${names} out of eos_token_id`);
  }
  const isEnd = (id: number) => id === first || endIds.includes(id);
  const more = [...KNOWN_ENDS].filter((text) => {
    const id = tokenizer.idOf(text);
    return id !== undefined && !isEnd(id);
  });
  return {
    eos: first,
    ...(eot !== undefined && { eot }),
    ...(eom !== undefined && { eom }),
    more,
  };
}

const refusal = (origin: string, problem: string) =>
  new StagecraftError(
    "unimplemented",
    `${origin} cannot be a GGUF file: ${problem} in generation_config.json`,
  );
