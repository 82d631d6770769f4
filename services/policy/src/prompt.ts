import {
  parseGenerationInput,
  type ParsedGenerationInput,
  type policy,
} from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import type { Cancellation } from "@stagecraft/rpc";
import { createLoopGate } from "@stagecraft/service-kit";
import { checkTextBytes, renderChat, startOfText } from "@stagecraft/tokenizer";
import type { PolicyModelFacts, SequenceRequest } from "./engine.js";
import type { FillDefaults } from "./model-defaults.js";

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
  { facts, fillDefaults }: { facts: PolicyModelFacts; fillDefaults: FillDefaults },
): CheckedInput {
  const { vocabSize, maxPositions, tokenizer } = facts;
  const given = parseGenerationInput(input, field, { vocabSize });
  const parsed = { ...given, sampling: fillDefaults(given) };
  const { prompt } = parsed;
  const limits = { tokenizer, maxTokens: maxPositions - 1, field };
  const texts = textsOf(prompt);
  const numBytes = texts.length === 0 ? 0 : checkTextBytes(texts, limits);
  return { parsed, field, numBytes };
}

/** Turns an input into what the engine takes. Large texts wait for a turn of the event loop. */
export async function prepareInput(
  { parsed, field, numBytes }: CheckedInput,
  facts: PolicyModelFacts,
  cancellation: Cancellation,
): Promise<SequenceRequest> {
  if (numBytes > 0) await gate(numBytes);
  cancellation.throwIfCancelled();
  const promptIds = promptIdsOf(parsed.prompt, facts);
  if (promptIds.length === 0) throw nothing(field);
  if (promptIds.length >= facts.maxPositions) throw tooLong(promptIds.length, field, facts);
  const { sampling, minWeightVersion, numTop } = parsed;
  return { promptIds, sampling, minWeightVersion, numTop };
}

function promptIdsOf(
  prompt: ParsedGenerationInput["prompt"],
  { tokenizer }: PolicyModelFacts,
): Int32Array {
  if (prompt.kind === "tokens") return prompt.ids;
  if (prompt.kind === "text") {
    return Int32Array.from([...startOfText(tokenizer), ...tokenizer.encode(prompt.text)]);
  }
  return renderChat(tokenizer, prompt.messages, { addGenerationPrompt: true }).ids;
}

function textsOf(prompt: ParsedGenerationInput["prompt"]): string[] {
  switch (prompt.kind) {
    case "tokens":
      return [];
    case "text":
      return [prompt.text];
    case "conversation":
      return prompt.messages.map(({ content }) => content);
  }
}

function nothing(field: string): StagecraftError {
  return new StagecraftError(
    "invalid_argument",
    `${field}.text is empty, and this tokenizer has no token that begins a document: write something`,
    { details: { field } },
  );
}

function tooLong(numTokens: number, field: string, { maxPositions }: PolicyModelFacts) {
  return new StagecraftError(
    "invalid_argument",
    `the prompt of ${field} has ${numTokens} tokens; the model holds ${maxPositions} and needs room for an answer: shorten it`,
    { details: { field, numTokens, maxPositions } },
  );
}
