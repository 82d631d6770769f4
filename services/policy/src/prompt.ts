import {
  parseGenerationInput,
  type ParsedGenerationInput,
  type policy,
} from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import { createLoopGate } from "@stagecraft/service-kit";
import { checkConversationBytes, renderChat } from "@stagecraft/tokenizer";
import type { PolicyModelFacts, SequenceRequest } from "./engine.js";

/** Bytes of text encoded in one turn of the event loop: some milliseconds. */
const gate = createLoopGate(16 * 1024);

/** An input whose cheap checks are done: fields, ranges, and the length of its text in bytes. */
export interface CheckedInput {
  parsed: ParsedGenerationInput;
  field: string;
  numBytes: number;
}

/** What can be checked of an input without encoding it. */
export function checkInput(
  input: policy.GenerationInput | undefined,
  field: string,
  { vocabSize, maxPositions, tokenizer }: PolicyModelFacts,
): CheckedInput {
  const parsed = parseGenerationInput(input, field, { vocabSize });
  const { prompt } = parsed;
  const limits = { tokenizer, maxTokens: maxPositions - 1, field };
  const numBytes = prompt.kind === "tokens" ? 0 : checkConversationBytes(prompt.messages, limits);
  return { parsed, field, numBytes };
}

/** Turns an input into what the engine takes. Large texts wait for a turn of the event loop. */
export async function prepareInput(
  { parsed, field, numBytes }: CheckedInput,
  facts: PolicyModelFacts,
  signal: AbortSignal,
): Promise<SequenceRequest> {
  if (numBytes > 0) await gate(numBytes);
  signal.throwIfAborted();
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
