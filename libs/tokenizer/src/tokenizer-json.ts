/**
 * The parts of Hugging Face's tokenizer.json that this library reads and writes. Source: the serde
 * definitions of huggingface/tokenizers 0.2x.
 */
export interface TokenizerJson {
  version: string;
  truncation?: unknown;
  padding?: unknown;
  added_tokens?: AddedTokenJson[];
  normalizer?: NormalizerJson | null;
  pre_tokenizer?: PreTokenizerJson | null;
  post_processor?: unknown;
  decoder?: DecoderJson | null;
  model: ModelJson;
}

export interface AddedTokenJson {
  id: number;
  content: string;
  single_word: boolean;
  lstrip: boolean;
  rstrip: boolean;
  normalized: boolean;
  special: boolean;
}

export interface NormalizerJson {
  type: string;
  normalizers?: NormalizerJson[];
  pattern?: PatternJson;
  content?: string;
  prepend?: string;
  strip_left?: boolean;
  strip_right?: boolean;
}

/** A pattern: a regex in Oniguruma's syntax or a plain string. */
export interface PatternJson {
  Regex?: string;
  String?: string;
}

export interface PreTokenizerJson {
  type: string;
  pretokenizers?: PreTokenizerJson[];
  pattern?: PatternJson;
  behavior?: string;
  invert?: boolean;
  add_prefix_space?: boolean;
  trim_offsets?: boolean;
  use_regex?: boolean;
  individual_digits?: boolean;
  replacement?: string;
  prepend_scheme?: string;
  split?: boolean;
  delimiter?: string;
}

export interface DecoderJson {
  type: string;
  decoders?: DecoderJson[];
  add_prefix_space?: boolean;
  trim_offsets?: boolean;
  use_regex?: boolean;
  pattern?: PatternJson;
  content?: string;
  start?: number;
  stop?: number;
  replacement?: string;
  prepend_scheme?: string;
}

export interface ModelJson {
  type: string;
  dropout?: number | null;
  unk_token?: string | null;
  continuing_subword_prefix?: string | null;
  end_of_word_suffix?: string | null;
  fuse_unk?: boolean;
  byte_fallback?: boolean;
  ignore_merges?: boolean;
  vocab: Record<string, number>;
  /** Pairs, or in older files one string with a space between the two. */
  merges: (string | [string, string])[];
}

/** A Unigram model: tokens with their log-probabilities, in the order of their ids. */
export interface UnigramJson {
  type: "Unigram";
  vocab: [token: string, score: number][];
  unk_id?: number | null;
  byte_fallback?: boolean;
}

/** The entry of a special token: never normalized, never stripped. */
export function specialTokenEntry(id: number, content: string): AddedTokenJson {
  return {
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  };
}

/** A complete tokenizer.json around a BPE model, with every field that older readers insist on. */
export function bpeTokenizerJson(
  parts: Pick<TokenizerJson, "added_tokens" | "pre_tokenizer" | "decoder"> & {
    vocab: Record<string, number>;
    merges: (string | [string, string])[];
    byteFallback?: boolean;
  },
): TokenizerJson {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: parts.added_tokens,
    normalizer: null,
    pre_tokenizer: parts.pre_tokenizer ?? null,
    post_processor: null,
    decoder: parts.decoder ?? null,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: parts.byteFallback ?? false,
      ignore_merges: false,
      vocab: parts.vocab,
      merges: parts.merges,
    },
  };
}
