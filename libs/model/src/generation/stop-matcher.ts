import type { Tokenizer } from "@stagecraft/tokenizer";

/** Follows the text of one answer and sees a stop text as soon as it is complete. */
export interface StopMatcher {
  /** True when the text now contains a stop text. */
  push(id: number): boolean;
  /** The answer so far, cut before the first stop text. */
  text(): string;
}

export function createStopMatcher(
  tokenizer: Pick<Tokenizer, "streamDecoder">,
  stop: readonly string[],
): StopMatcher {
  const decoder = tokenizer.streamDecoder();
  const longest = Math.max(0, ...stop.map(({ length }) => length));
  let text = "";
  let end: number | undefined;
  return {
    push(id) {
      const from = Math.max(0, text.length - longest);
      text += decoder.push(id);
      const found = stop.map((each) => text.indexOf(each, from)).filter((at) => at >= 0);
      if (found.length > 0) end = Math.min(...found);
      return end !== undefined;
    },
    text() {
      if (end !== undefined) return text.slice(0, end);
      text += decoder.flush();
      return text;
    },
  };
}
