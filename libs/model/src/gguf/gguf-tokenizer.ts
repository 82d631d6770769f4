/** A tokenizer in llama.cpp's words: BPE of bytes, or of sentencepiece's kind. */
import { StagecraftError, type JsonObject } from "@stagecraft/core";
import {
  loadTokenizer,
  namedTokenId,
  templateSourceOf,
  type Tokenizer,
} from "@stagecraft/tokenizer";
import { isObject } from "../hf-reader.js";
import { ggufEnds, KNOWN_ENDS, type GgufEnds } from "./gguf-ends.js";
import { isPieces, pieceWords } from "./gguf-pieces.js";
import { byteWords, requireWholeWords } from "./gguf-pre.js";
import { addedOf, ggufTokens } from "./gguf-tokens.js";
import type { GgufValue } from "./gguf-file.js";

export interface GgufTokenizerOptions {
  /** Rows of the model's embeddings. */
  vocabSize: number;
  /** A name of `PRE_TOKENIZERS` in the place of the tokenizer's own pattern. */
  pre?: string | undefined;
  /** Directory of the files. */
  origin: string;
}

export interface GgufTokenizer {
  readonly metadata: Map<string, GgufValue>;
  /** What differs in llama.cpp, each a sentence. */
  readonly notes: readonly string[];
}

/** Metadata of a model's tokenizer. Throws `unimplemented` for one that llama.cpp would not follow. */
export async function ggufTokenizer(
  files: Readonly<Record<string, string>>,
  { vocabSize, pre, origin }: GgufTokenizerOptions,
): Promise<GgufTokenizer> {
  const json = parse(files["tokenizer.json"]);
  const model = isObject(json["model"]) ? json["model"] : {};
  const isOfPieces = isPieces(json);
  const { tokens, types, unknownId } = ggufTokens(json, { vocabSize, isPieces: isOfPieces });
  const words = isOfPieces
    ? pieceWords(json, { tokens, pre, origin })
    : byteWords(json, { pre, origin });
  const tokenizer = await loadTokenizer(origin);
  if (words.takesWholeWords) requireWholeWords(tokenizer, model, origin);
  const specials = specialsOf(tokenizer, files, origin);
  const ends = ggufEnds(tokenizer, { eos: specials.eos, origin });
  const metadata = new Map<string, GgufValue>([
    ...words.metadata,
    ["tokenizer.ggml.tokens", { strings: tokens }],
    ["tokenizer.ggml.token_type", { i32s: types }],
    ["tokenizer.ggml.add_bos_token", specials.addsBos],
    ["tokenizer.ggml.add_eos_token", specials.addsEos],
  ]);
  for (const [field, id] of [
    ...[["bos", specials.bos] as const, ["eos", ends.eos] as const],
    ...[["eot", ends.eot] as const, ["eom", ends.eom] as const],
    ...[["padding", specials.pad] as const, ["unknown", unknownId] as const],
  ]) {
    if (id !== undefined) metadata.set(`tokenizer.ggml.${field}_token_id`, { u32: id });
  }
  addTemplates(metadata, files);
  return { metadata, notes: [...words.notes, ...notesOf(json, ends)] };
}

function notesOf(json: JsonObject, ends: GgufEnds) {
  const notes: string[] = [];
  const strips = addedOf(json).filter(({ lstrip, rstrip }) => lstrip === true || rstrip === true);
  if (strips.length > 0) {
    const names = strips.slice(0, 5).map(({ content }) => String(content));
    const more = strips.length > 5 ? ` and ${strips.length - 5} more` : "";
    notes.push(`spaces beside ${names.join(", ")}${more} stay: texts with them get other tokens`);
  }
  if (ends.more.length > 0) {
    notes.push(`llama.cpp also ends an answer at ${ends.more.join(", ")}, by the name`);
  }
  const asText = addedOf(json).filter(
    ({ content, special }) => special !== true && KNOWN_ENDS.has(String(content)),
  );
  for (const { content } of asText) {
    notes.push(`${String(content)} in a text is a token only where special tokens are read`);
  }
  return notes;
}

/** Tokens by their part, and those that stand around a text. */
function specialsOf(tokenizer: Tokenizer, files: Readonly<Record<string, string>>, origin: string) {
  const idOf = (key: string) => namedTokenId(files, (token) => tokenizer.idOf(token), key);
  const { before, after } = tokenizer.textAffixes;
  const [bos = before[0], eos = after[0]] = [idOf("bos_token"), idOf("eos_token")];
  const isOnly = (ids: readonly number[], id: number | undefined) =>
    ids.length === 0 || (ids.length === 1 && ids[0] === id);
  if (!isOnly(before, bos) || !isOnly(after, eos)) {
    const problem = "it puts other tokens around texts than bos_token and eos_token";
    throw new StagecraftError("unimplemented", `tokenizer of ${origin}: ${problem}`);
  }
  const [addsBos, addsEos] = [before.length > 0, after.length > 0];
  return { bos, eos, pad: idOf("pad_token"), addsBos, addsEos };
}

/** The default template, and the one for conversations with tools where it is another. */
function addTemplates(
  metadata: Map<string, GgufValue>,
  files: Readonly<Record<string, string>>,
): void {
  const source = templateSourceOf(files);
  if (!source) return;
  metadata.set("tokenizer.chat_template", source.text);
  if (source.withTools === source.text) return;
  metadata.set("tokenizer.chat_templates", { strings: ["tool_use"] });
  metadata.set("tokenizer.chat_template.tool_use", source.withTools);
}

const parse = (text: string | undefined) => JSON.parse(text ?? "{}") as JsonObject;
