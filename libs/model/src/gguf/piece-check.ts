/**
 * Merges and scores choose otherwise between pairs that overlap and make the same token, as in runs of one
 * character: both are tried on such texts, and on tokens joined, before a file is written.
 */
import { StagecraftError, type JsonObject } from "@stagecraft/core";
import { tokenizerFromFiles } from "@stagecraft/tokenizer";
import { byteTokenOf } from "./gguf-tokens.js";
import { isRun, pairsOf } from "./piece-scores.js";

interface Pieces {
  tokens: readonly string[];
  scores: readonly number[];
}

/** Throws `unimplemented` with a text to which llama.cpp would give other tokens. */
export function requireSameTokens(
  json: JsonObject,
  { tokens, scores, origin }: Pieces & { origin: string },
): void {
  const bare = { ...json, added_tokens: [], normalizer: null, post_processor: null };
  const alone = JSON.stringify({ ...bare, pre_tokenizer: null, decoder: { type: "Fuse" } });
  const ours = tokenizerFromFiles({ "tokenizer.json": alone });
  const theirs = pieceEncoder({ tokens, scores });
  const other = trialTexts(json, tokens).find(
    (text) => ours.encode(text).join() !== theirs(text).join(),
  );
  if (other === undefined) return;
  const problem = `llama.cpp would have other tokens for ${JSON.stringify(other)}`;
  throw new StagecraftError("unimplemented", `tokenizer of ${origin}: ${problem}`);
}

/** llama.cpp's rule (`llm_tokenizer_spm_session` of src/llama-vocab.cpp); spaces are spelled already. */
function pieceEncoder({ tokens, scores }: Pieces): (text: string) => number[] {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const idsOf = (part: string) => {
    const id = ids.get(part);
    return id === undefined ? [...Buffer.from(part)].map((b) => ids.get(byteTokenOf(b))!) : [id];
  };
  return (text) => {
    const parts = [...text];
    for (;;) {
      let [best, place] = [-Infinity, -1];
      for (let i = 0; i + 1 < parts.length; i++) {
        const id = ids.get(parts[i]! + parts[i + 1]!);
        if (id !== undefined && scores[id]! > best) [best, place] = [scores[id]!, i];
      }
      if (place < 0) return parts.flatMap(idsOf);
      parts.splice(place, 2, parts[place]! + parts[place + 1]!);
    }
  };
}

const NUM_JOINED = 3000;

function trialTexts({ model }: JsonObject, tokens: readonly string[]): string[] {
  const merges = pairsOf((model as JsonObject)["merges"]);
  return [...overlapping(merges), ...runs(tokens), ...joined(tokens)];
}

/** x, y and z of which both xy and yz make the same token. */
function overlapping(merges: ReturnType<typeof pairsOf>): string[] {
  const all = new Set(merges.map(([left, right]) => `${left} ${right}`));
  return merges.flatMap(([left, right]) => {
    const token = left + right;
    const end = token.slice(right.length);
    return token.startsWith(right) && all.has(`${right} ${end}`) ? [left + right + end] : [];
  });
}

/** Runs of one character up to a little longer than the longest that is a token. */
function runs(tokens: readonly string[]): string[] {
  const longest = new Map<string, number>();
  for (const token of tokens.filter((each) => each !== "" && isRun(each))) {
    const [first = ""] = token;
    longest.set(first, Math.max(longest.get(first) ?? 0, token.length / first.length));
  }
  return [...longest].flatMap(([first, most]) =>
    most < 2 ? [] : Array.from({ length: most + 3 }, (_, n) => first.repeat(n + 1)),
  );
}

/** Three tokens in a row, drawn by strides without a common factor. */
function joined(tokens: readonly string[]): string[] {
  const at = (i: number) => tokens[i % tokens.length]!;
  return Array.from({ length: NUM_JOINED }, (_, i) => at(i * 7919) + at(i * 104_729) + at(i * 613));
}
