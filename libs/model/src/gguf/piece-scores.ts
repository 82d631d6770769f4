/** Merges as scores: llama.cpp joins the pair whose token has the highest one, the leftmost of equals. */
import { StagecraftError, type JsonObject } from "@stagecraft/core";

type Pair = readonly [left: string, right: string];

/**
 * A score for each token, higher where merges make it earlier. Throws `unimplemented` where merges say what
 * scores cannot: a pair that makes a token and is not merged, or a token whose merges lie apart.
 */
export function pieceScores(
  model: JsonObject,
  { tokens, origin }: { tokens: readonly string[]; origin: string },
): number[] {
  const refuse = (problem: string) =>
    new StagecraftError("unimplemented", `tokenizer of ${origin}: ${problem}`);
  const merges = pairsOf(model["merges"]);
  const order = orderOf(merges);
  if (typeof order === "string") throw refuse(`merges of ${JSON.stringify(order)} lie apart`);
  const unmade = unmergedPair(tokens, new Set(merges.map(keyOf)));
  if (unmade) {
    const [left, right] = unmade.map((part) => JSON.stringify(part));
    throw refuse(`its merges do not join ${left} and ${right}, which make a token for llama.cpp`);
  }
  return tokens.map((token) => -(order.get(token) ?? order.size));
}

/** Pairs of tokens; older files have one string with a space between the two. */
export function pairsOf(merges: unknown): Pair[] {
  return (Array.isArray(merges) ? merges : []).map((merge) => {
    if (Array.isArray(merge)) return merge as unknown as Pair;
    const gap = String(merge).indexOf(" ");
    return [String(merge).slice(0, gap), String(merge).slice(gap + 1)];
  });
}

const keyOf = ([left, right]: Pair) => `${left} ${right}`;

/**
 * The place of each token that merges make, or the token whose merges are not next to each other. Those of
 * runs of one character may be mixed with each other, as Gemma's are: nothing else is joined in between.
 */
function orderOf(merges: readonly Pair[]): Map<string, number> | string {
  const order = new Map<string, number>();
  const lastAt = new Map<string, number>();
  let lastOther = -1;
  for (const [i, [left, right]] of merges.entries()) {
    const token = left + right;
    const before = lastAt.get(token);
    if (before === undefined) order.set(token, order.size);
    else if (before !== i - 1 && !(isRun(token) && lastOther < before)) return token;
    lastAt.set(token, i);
    if (!isRun(token)) lastOther = i;
  }
  return order;
}

/** Whether a token is one character several times. */
export function isRun(token: string): boolean {
  const [first = ""] = token;
  return token === first.repeat(token.length / first.length);
}

/** A pair that llama.cpp can come to and would join, and that is none of the merges. */
function unmergedPair(tokens: readonly string[], merges: ReadonlySet<string>): Pair | undefined {
  const reached = new Set<string>();
  const isPart = (text: string) => reached.has(text) || isCharacter(text);
  for (const token of [...tokens].sort((a, b) => a.length - b.length)) {
    for (let at = 1; at < token.length; at++) {
      const pair = [token.slice(0, at), token.slice(at)] as const;
      if (!isPart(pair[0]) || !isPart(pair[1])) continue;
      if (!merges.has(keyOf(pair))) return pair;
      reached.add(token);
    }
  }
  return undefined;
}

const isCharacter = (text: string) =>
  text.length === 1
    ? !/[\ud800-\udfff]/.test(text)
    : text.length === 2 && text.codePointAt(0)! > 0xffff;
