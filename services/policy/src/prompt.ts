import {
  parseGenerationInput,
  type ParsedGenerationInput,
  type policy,
} from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { renderChat } from "@stagecraft/tokenizer";
import type { PolicyModelFacts, SequenceRequest } from "./engine.js";

/** Checks an input and turns it into what the engine takes. */
export function prepareInput(
  input: policy.GenerationInput | undefined,
  field: string,
  facts: PolicyModelFacts,
): SequenceRequest {
  const parsed = parseGenerationInput(input, field, { vocabSize: facts.vocabSize });
  const promptIds = promptIdsOf(parsed.prompt, facts);
  if (promptIds.length >= facts.maxPositions) throw tooLong(promptIds.length, field, facts);
  return { promptIds, sampling: parsed.sampling, minWeightVersion: parsed.minWeightVersion };
}

function promptIdsOf(
  prompt: ParsedGenerationInput["prompt"],
  { tokenizer }: PolicyModelFacts,
): Int32Array {
  if (prompt.kind === "tokens") return prompt.ids;
  return renderChat(tokenizer, prompt.messages, { addGenerationPrompt: true }).ids;
}

function tooLong(numTokens: number, field: string, { maxPositions }: PolicyModelFacts) {
  return new StagecraftError(
    "invalid_argument",
    `the prompt of ${field} has ${numTokens} tokens; the model holds ${maxPositions} and needs room for an answer: shorten it`,
    { details: { field, numTokens, maxPositions } },
  );
}
