import { StagecraftError } from "@stagecraft/core";
import { prependsSpace } from "./decoder.js";
import { translateRegex } from "./oniguruma.js";
import { regexOf } from "./pattern.js";
import { splitter, type Behavior } from "./split.js";
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

/**
 * Cuts a text into the pieces inside which merges happen. `isStart`: the text stands at the beginning of
 * what is encoded, with no added token before it; default true.
 */
export type PreTokenizer = (text: string, isStart?: boolean) => string[];

/** The pieces between and under the matches of the regex (`Split` with behavior Isolated). */
export function splitByPattern(pattern: string): PreTokenizer {
  return splitter(translateRegex(pattern), "Isolated");
}

/** Whether the pre-tokenizer spells pieces as bytes: the model's alphabet is then that of GPT-2. */
export function isByteLevel(json: PreTokenizerJson | null | undefined): boolean {
  return flatten(json).some(({ type }) => type === "ByteLevel");
}

/**
 * The `pre_tokenizer` of tokenizer.json; without one the text is one piece.
 * @throws `unimplemented` for a step that is not in `STEPS`, naming it
 */
export function compilePreTokenizer(json: PreTokenizerJson | null | undefined): PreTokenizer {
  const steps = flatten(json).flatMap((step) => {
    const compile = STEPS[step.type];
    if (compile) return compile(step);
    throw new StagecraftError(
      "unimplemented",
      `tokenizer.json uses the pre-tokenizer "${step.type}", which is not supported; supported are ` +
        `Sequence, ${Object.keys(STEPS).join(", ")}`,
    );
  });
  if (steps.length === 0) return (text) => (text === "" ? [] : [text]);
  if (steps.length === 1) return steps[0]!;
  return (text, isStart = true) =>
    steps.reduce(
      (pieces, split) => pieces.flatMap((piece, i) => split(piece, isStart && i === 0)),
      [text],
    );
}

function flatten(json: PreTokenizerJson | null | undefined): PreTokenizerJson[] {
  if (!json) return [];
  return json.type === "Sequence" ? (json.pretokenizers ?? []).flatMap(flatten) : [json];
}

const PUNCTUATION = /[!-/:-@[-`{-~\p{P}]/gu;
const SPACES = /\p{White_Space}+/gu;
const WORDS =
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu;

const STEPS: Readonly<Record<string, (step: PreTokenizerJson) => PreTokenizer[]>> = {
  ByteLevel(step) {
    const steps = step.use_regex === false ? [] : [splitByPattern(GPT2_PATTERN)];
    if (!step.add_prefix_space) return steps;
    return [(text) => (text === "" || text.startsWith(" ") ? [text] : [` ${text}`]), ...steps];
  },
  Split(step) {
    const regex =
      step.pattern?.Regex === DEFAULT_PATTERN
        ? translateRegex(DEFAULT_PATTERN)
        : regexOf(step.pattern);
    return [splitter(regex, behaviorOf(step), step.invert === true)];
  },
  Digits: (step) => [splitter(step.individual_digits ? /\p{N}/gu : /\p{N}+/gu, "Isolated")],
  Punctuation: (step) => [splitter(PUNCTUATION, behaviorOf({ behavior: "Isolated", ...step }))],
  Whitespace: () => [splitter(WORDS, "Removed", true)],
  WhitespaceSplit: () => [splitter(SPACES, "Removed")],
  Metaspace: (step) => [metaspace(step)],
};

/** Spaces become a visible mark that also opens a text, and each piece begins with it. */
function metaspace(step: PreTokenizerJson): PreTokenizer {
  const mark = step.replacement ?? "▁";
  const onlyStart = step.prepend_scheme === "first";
  const cut =
    step.split === false ? undefined : splitter(regexOf({ String: mark }), "MergedWithNext");
  return (text, isStart = true) => {
    if (text === "") return [];
    const marked = text.replaceAll(" ", mark);
    const opens = prependsSpace(step) && (isStart || !onlyStart) && !marked.startsWith(mark);
    const whole = opens ? mark + marked : marked;
    return cut ? cut(whole) : [whole];
  };
}

const BEHAVIORS: readonly string[] = [
  ...["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"],
];

function behaviorOf({ type, behavior = "" }: Partial<PreTokenizerJson>): Behavior {
  if (BEHAVIORS.includes(behavior)) return behavior as Behavior;
  throw new StagecraftError(
    "unimplemented",
    `tokenizer.json uses ${type} with behavior ${behavior}; supported are ${BEHAVIORS.join(", ")}`,
  );
}
