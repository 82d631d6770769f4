import { parsedTokenizerJson } from "./parsed-json.js";
import { templateSourceOf } from "./template/template-source.js";

type Files = Readonly<Record<string, string>>;
type Json = Record<string, unknown>;

/**
 * How many rows of embeddings a tokenizer needs: one more than its largest id, but for special tokens behind
 * that which no chat template and no post-processor writes and nothing names. Gemma 3's text models have such a one, for images,
 * and no row for it: a sequence with it is refused where models check their ids. 0 where no file can be read.
 */
export function rowsNeeded(files: Files): number {
  try {
    const json = parsedTokenizerJson(files["tokenizer.json"] ?? "{}") as Json;
    const isNamed = usedIn(files);
    const affixes = JSON.stringify(json["post_processor"] ?? null);
    const isUsed = (token: string) => isNamed(token) || affixes.includes(JSON.stringify(token));
    const added = listOf(json["added_tokens"]).filter(
      ({ content, special }) => special !== true || isUsed(String(content)),
    );
    const ids = [...idsOf(json["model"]), ...added.map(({ id }) => id)];
    return ids.reduce((n: number, id) => (typeof id === "number" ? Math.max(n, id + 1) : n), 0);
  } catch {
    return 0; // for the tokenizer's own reader to report
  }
}

/** A vocabulary maps tokens to ids (BPE) or lists them in the order of their ids (Unigram). */
function idsOf(model: unknown): Iterable<unknown> {
  const vocab = isObject(model) ? model["vocab"] : undefined;
  if (Array.isArray(vocab)) return vocab.keys();
  return isObject(vocab) ? Object.values(vocab) : [];
}

function usedIn(files: Files): (token: string) => boolean {
  const { text = "", withTools = "", names = {} } = templateSourceOf(files) ?? {};
  const named = {
    ...parsed(files["special_tokens_map.json"]),
    ...parsed(files["tokenizer_config.json"]),
  };
  const ofParts = ["bos_token", "eos_token", "pad_token", "unk_token"].map((part) => {
    const token = named[part];
    return isObject(token) ? token["content"] : token;
  });
  const templates = text + withTools;
  const written = Object.entries(names).filter(([name]) => templates.includes(name));
  const used = new Set<unknown>([...ofParts, ...written.map(([, token]) => token)]);
  return (token) => used.has(token) || templates.includes(token);
}

const parsed = (text: string | undefined) => JSON.parse(text ?? "{}") as Json;

const listOf = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isObject) : []);

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
