/** Lower case words without punctuation. Letters of any script and digits count. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** The words joined by single spaces, padded, so that `includes(" phrase ")` finds whole words. */
export function normalise(text: string): string {
  return ` ${wordsOf(text).join(" ")} `;
}

/** True when the phrase occurs in the normalised text as whole words. */
export function mentions(normalised: string, phrase: string): boolean {
  return normalised.includes(normalise(phrase));
}

/** Sentences with their end marks; a text without any is one sentence. */
export function sentencesOf(text: string): string[] {
  return (text.match(/(?:\.{3}|…)?[^.!?\n]+[.!?]*/g) ?? []).map((s) => s.trim()).filter(Boolean);
}

/** Length of the longest common subsequence of two word lists. */
export function commonLength(a: readonly string[], b: readonly string[]): number {
  let row = new Array<number>(b.length + 1).fill(0);
  for (const word of a) {
    const next = [0];
    for (let j = 0; j < b.length; j++) {
      next.push(b[j] === word ? row[j]! + 1 : Math.max(row[j + 1]!, next[j]!));
    }
    row = next;
  }
  return row[b.length]!;
}
