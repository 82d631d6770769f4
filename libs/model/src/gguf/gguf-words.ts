import type { GgufValue } from "./gguf-file.js";

/** How texts become tokens, in llama.cpp's words. */
export interface GgufWords {
  readonly metadata: readonly (readonly [key: string, value: GgufValue])[];
  /** What differs in llama.cpp, each a sentence. */
  readonly notes: readonly string[];
  /** A word of the vocabulary is one token, whatever the merges make of it. */
  readonly takesWholeWords?: boolean;
}

/** What `--pre` and the directory of the files say. */
export interface WordsOptions {
  pre: string | undefined;
  origin: string;
}
