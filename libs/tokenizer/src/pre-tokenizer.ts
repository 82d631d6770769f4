import { StagecraftError } from "@stagecraft/core";
import { translateRegex } from "./oniguruma.js";
import { refuseBacktracking } from "./regex-safety.js";
import type { PreTokenizerJson } from "./tokenizer-json.js";

/** GPT-2's regex, built into Hugging Face's `ByteLevel` pre-tokenizer (`use_regex: true`). */
export const GPT2_PATTERN =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/**
 * Our own regex: GPT-4's shape (a word takes one leading character such as its space; newlines
 * are tokens), with combining marks inside words and digits in groups of at most two, which suits
 * small vocabularies. Written so that Oniguruma and JavaScript agree without case folding.
 */
export const DEFAULT_PATTERN =
  "'(?:[sdmtSDMT]|ll|LL|ve|VE|re|RE)|[^\\r\\n\\p{L}\\p{M}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}{1,2}" +
  "| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** Cuts a text into the pieces inside which merges happen; the pieces join to the text again. */
export type PreTokenizer = (text: string) => string[];

/** The pieces between and under the matches of the regex (`Split` with behavior Isolated). */
export function splitByPattern(pattern: string): PreTokenizer {
  return isolated(translateRegex(pattern));
}

/**
 * Compiles a `pre_tokenizer` of tokenizer.json that ends in `ByteLevel`. Supported: Sequence,
 * Split (Isolated, or Removed with invert, by regex or string), Digits, ByteLevel.
 * @throws `unimplemented` for anything else, naming it
 */
export function compilePreTokenizer(json: PreTokenizerJson | null | undefined): PreTokenizer {
  const steps = flatten(json);
  if (!steps.some((step) => step.type === "ByteLevel")) {
    throw new StagecraftError(
      "unimplemented",
      `tokenizer.json has the pre-tokenizer ${describe(json)}, which is not byte-level; ` +
        `only byte-level BPE (GPT-2, Llama 3 style) can be loaded`,
    );
  }
  const splitters = steps.flatMap((step) => compileStep(step));
  if (splitters.length === 1) return splitters[0]!;
  return (text) => splitters.reduce((pieces, split) => pieces.flatMap(split), [text]);
}

function flatten(json: PreTokenizerJson | null | undefined): PreTokenizerJson[] {
  if (!json) return [];
  return json.type === "Sequence" ? (json.pretokenizers ?? []).flatMap(flatten) : [json];
}

function compileStep(step: PreTokenizerJson): PreTokenizer[] {
  switch (step.type) {
    case "Split":
      return [compileSplit(step)];
    case "Digits":
      return [splitByPattern(step.individual_digits ? "\\p{N}" : "\\p{N}+")];
    case "ByteLevel":
      return compileByteLevel(step);
    default:
      throw new StagecraftError(
        "unimplemented",
        `tokenizer.json uses the pre-tokenizer ${describe(step)}, which is not supported; ` +
          `supported are Sequence, Split, Digits and ByteLevel`,
      );
  }
}

function compileByteLevel(step: PreTokenizerJson): PreTokenizer[] {
  const steps = step.use_regex === false ? [] : [splitByPattern(GPT2_PATTERN)];
  if (!step.add_prefix_space) return steps;
  return [(text) => (text === "" || text.startsWith(" ") ? [text] : [` ${text}`]), ...steps];
}

function compileSplit(step: PreTokenizerJson): PreTokenizer {
  const pattern = step.pattern?.Regex ?? escapeRegex(step.pattern?.String ?? "");
  const regex = translateRegex(pattern);
  if (pattern !== DEFAULT_PATTERN) refuseBacktracking(pattern, regex);
  const invert = step.invert === true;
  if (step.behavior === "Isolated") return isolated(regex);
  // With `invert` the matches are the content and the gaps the delimiters, which are dropped.
  if (step.behavior === "Removed" && invert) return (text) => text.match(regex) ?? [];
  throw new StagecraftError(
    "unimplemented",
    `tokenizer.json uses Split with behavior ${step.behavior}${invert ? " inverted" : ""}, ` +
      `which is not supported; supported are Isolated, and Removed with invert`,
  );
}

function isolated(regex: RegExp): PreTokenizer {
  return (text) => {
    const matches = text.match(regex);
    if (matches === null) return text === "" ? [] : [text];
    let covered = 0;
    for (const match of matches) covered += match.length;
    return covered === text.length ? matches : withGaps(text, regex);
  };
}

function withGaps(text: string, regex: RegExp): string[] {
  const pieces: string[] = [];
  let end = 0;
  for (const match of text.matchAll(regex)) {
    if (match.index > end) pieces.push(text.slice(end, match.index));
    if (match[0] !== "") pieces.push(match[0]);
    end = match.index + match[0].length;
  }
  if (end < text.length) pieces.push(text.slice(end));
  return pieces;
}

function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

function describe(json: PreTokenizerJson | null | undefined): string {
  return json ? `"${json.type}"` : "null";
}
