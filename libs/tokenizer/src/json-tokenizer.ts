import { StagecraftError } from "@stagecraft/core";
import { addedTokenSplitter, type SplitOptions } from "./added-tokens.js";
import { assembleTokenizer } from "./assemble-tokenizer.js";
import { bpeModel } from "./bpe-model.js";
import { compileDecoder } from "./decoder.js";
import { IntBuffer } from "./int-buffer.js";
import { namedSpecialIds } from "./named-specials.js";
import { compileNormalizer } from "./normalizer.js";
import type { PieceModel } from "./piece-model.js";
import { compilePreTokenizer, isByteLevel } from "./pre-tokenizer.js";
import { piecesOf, textsAndBytes } from "./text-pieces.js";
import { listTokens, type TokenList } from "./token-list.js";
import type { ModelJson, PreTokenizerJson, TokenizerJson, UnigramJson } from "./tokenizer-json.js";
import type { Tokenizer } from "./tokenizer.js";
import { unigramModel } from "./unigram-model.js";
import { Vocabulary } from "./vocabulary.js";

/**
 * A tokenizer from a tokenizer.json with a BPE or Unigram model, ours or a foreign one.
 * @param files tokenizer.json and what else stands beside it, kept for `files()`
 * @param json tokenizer.json as `JSON.parse` gave it, its shape checked
 * @throws `unimplemented` when the file uses what this library does not do, naming it
 */
export function createJsonTokenizer(
  kind: Tokenizer["kind"],
  files: Readonly<Record<string, string>>,
  json: TokenizerJson,
): Tokenizer {
  checkModel(json.model);
  const added = json.added_tokens ?? [];
  const list = listTokens(json.model, added);
  const model = modelOf(json, list);
  const preTokenize = compilePreTokenizer(json.pre_tokenizer);
  const inWindows = isByteLevel(json.pre_tokenizer) && hasOneRegex(json);
  const decoder = compileDecoder(decoderOf(json));
  const normalize = compileNormalizer(json.normalizer);
  const spelled = new Map(
    added.map(({ content, normalized }) => [content, normalized ? normalize(content) : content]),
  );
  const vocabulary = new Vocabulary({
    list,
    added,
    ...decoder,
    bytesOfAdded: (content) => decoder.bytesOfAdded(spelled.get(content)!),
  });
  const split = addedTokenSplitter(added, normalize);
  const encodeInto = (text: string, out: IntBuffer, options: EncodeOptions) => {
    const { readSpecials, restore = (stretch: string) => stretch } = options;
    for (const part of split(text, { readSpecials })) {
      if ("id" in part) {
        out.push(part.id);
        continue;
      }
      const pieces = (window: string) => preTokenize(window, part.isStart);
      for (const some of piecesOf(restore(part.text), pieces, inWindows)) {
        for (const piece of some) model.encodePiece(piece, out);
      }
    }
  };
  const encode = (text: string, options: EncodeOptions) => {
    const out = new IntBuffer(16 + (text.length >> 2));
    encodeInto(text, out, options);
    return out.toArray();
  };
  return assembleTokenizer({
    kind,
    vocabulary,
    specials: namedSpecialIds(files, (token) => vocabulary.idOf(token)),
    encode: (text) => encode(text, { readSpecials: false }),
    encodeWithSpecials: (text, restore) => encode(text, { readSpecials: true, restore }),
    encodeBytes(bytes) {
      const out = new IntBuffer(16 + (bytes.length >> 2));
      for (const part of textsAndBytes(bytes)) {
        if (typeof part === "string") encodeInto(part, out, { readSpecials: false });
        else model.encodeRaw(part, out);
      }
      return out.toArray();
    },
    files,
    postProcessor: json.post_processor,
  });
}

interface EncodeOptions extends SplitOptions {
  restore?: ((text: string) => string) | undefined;
}

function checkModel({ type }: TokenizerJson["model"]): void {
  if (type === "BPE" || type === "Unigram") return;
  throw new StagecraftError(
    "unimplemented",
    `tokenizer.json uses the model "${type}"; supported are BPE and Unigram`,
  );
}

function modelOf(json: TokenizerJson, list: TokenList): PieceModel {
  const { model, pre_tokenizer: preTokenizer } = json;
  if (isUnigram(model)) return unigramModel(model, list);
  return bpeModel(model, list, isByteLevel(preTokenizer));
}

function isUnigram(model: ModelJson | UnigramJson): model is UnigramJson {
  return model.type === "Unigram";
}

/** Byte-level files may leave the decoder out: what their tokens stand for is clear. */
function decoderOf({ decoder, pre_tokenizer: preTokenizer }: TokenizerJson) {
  return decoder ?? (isByteLevel(preTokenizer) ? { type: "ByteLevel" } : null);
}

/** Whether the pieces of a long text may be made window by window: one regex without lookbehind. */
function hasOneRegex({ pre_tokenizer: json }: TokenizerJson): boolean {
  const steps: PreTokenizerJson[] = json?.pretokenizers ?? (json ? [json] : []);
  const regexes = steps.map(
    (step) => step.pattern?.Regex ?? (step.use_regex !== false ? "" : undefined),
  );
  const used = regexes.filter((regex) => regex !== undefined);
  const plain = !steps.some(
    (step) =>
      step.add_prefix_space ||
      step.pretokenizers ||
      step.invert ||
      (step.behavior ?? "Isolated") !== "Isolated",
  );
  return plain && used.length === 1 && !used[0]!.includes("(?<");
}
