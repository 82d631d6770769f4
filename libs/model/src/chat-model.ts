import { StagecraftError } from "@stagecraft/core";
import {
  loadChatTokenizer,
  rowsNeeded,
  type ChosenTemplate,
  type Tokenizer,
} from "@stagecraft/tokenizer";
import { growVocabulary } from "./grow-vocabulary.js";
import { loadModel, readModelInfo, type LoadModelOptions } from "./model-files.js";
import type { Model } from "./model.js";

/**
 * The tokenizer of a model that is used as it is, with the chat template that was chosen. Throws
 * `failed_precondition` for a template whose tokens the model has no embeddings for.
 */
export async function loadTokenizerOf(dir: string, chosen: ChosenTemplate): Promise<Tokenizer> {
  const tokenizer = await loadChatTokenizer(dir, chosen);
  if (!chosen.chatTemplate) return tokenizer;
  const { vocabSize } = (await readModelInfo(dir)).config;
  const numRows = rowsNeeded(tokenizer.files());
  if (numRows <= vocabSize) return tokenizer;
  throw new StagecraftError(
    "failed_precondition",
    `chatTemplate: ${chosen.chatTemplate} needs ${numRows - vocabSize} tokens that ${dir} has no embeddings for; teach them first: stagecraft sft --chat-template`,
    { details: { field: "chatTemplate" } },
  );
}

/** What a model that learns a chat template starts from. */
export interface ChatStart extends LoadModelOptions {
  tokenizer: Tokenizer;
  /** Of adapters, which leave the embeddings as they are; 0 = none. Default 0. */
  loraRank?: number;
}

/**
 * A model with rows for the tokenizer's tokens: where a chat template added some, the embeddings get rows
 * for them. Throws `invalid_argument` when adapters alone would be trained then.
 */
export async function loadModelToTeach(dir: string, start: ChatStart): Promise<Model> {
  const { tokenizer, loraRank = 0, ...options } = start;
  const model = await loadModel(dir, options);
  if (rowsNeeded(tokenizer.files()) <= model.config.vocabSize) return model;
  if (loraRank === 0) return growVocabulary(model, tokenizer.vocabSize);
  model.dispose();
  throw new StagecraftError(
    "invalid_argument",
    "the chat template needs tokens that the model has no embeddings for, and adapters (loraRank) leave the embeddings as they are; train once without loraRank, or choose a template of tokens that are there",
    { details: { field: "loraRank" } },
  );
}
