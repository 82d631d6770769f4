import type { Tokenizer } from "@stagecraft/tokenizer";

/** The text of an answer, in pieces that never have to be taken back. */
export interface AnswerText {
  /** Text that became certain with these tokens. */
  push(tokenIds: readonly number[]): string;
  /** What is left with the last tokens, given the whole text as it must come out. */
  finish(tokenIds: readonly number[], wholeText: string | undefined): string;
}

/** Holds back what may turn out to be the beginning of a stop text. */
export function createAnswerText(tokenizer: Tokenizer, stop: readonly string[]): AnswerText {
  const decoder = tokenizer.streamDecoder();
  const numHeldBack = Math.max(0, ...stop.map((text) => text.length - 1));
  let text = "";
  let numSent = 0;
  const send = (upTo: number) => {
    const piece = text.slice(numSent, upTo);
    numSent = Math.max(numSent, upTo);
    return piece;
  };
  const read = (tokenIds: readonly number[]) => {
    text += decoder.push(tokenIds);
  };
  return {
    push(tokenIds) {
      read(tokenIds);
      return send(wholeCharacters(text, Math.max(numSent, text.length - numHeldBack)));
    },
    finish(tokenIds, wholeText) {
      read(tokenIds);
      text = wholeText ?? text + decoder.flush();
      return send(text.length);
    },
  };
}

/** Never between the halves of a surrogate pair, which would not survive UTF-8. */
function wholeCharacters(text: string, end: number): number {
  const code = text.charCodeAt(end);
  return end > 0 && code >= 0xdc00 && code <= 0xdfff ? end - 1 : end;
}
