import { createHash } from "node:crypto";

/** A text and the split it belongs to. */
export interface SplitText {
  split: "train" | "validation";
  text: string;
}

/**
 * True for about `fraction` of all texts, decided by the content alone: equal documents never stand
 * on both sides, and adding documents moves none.
 */
export function isHeldOut(text: string, fraction: number): boolean {
  if (fraction <= 0) return false;
  return createHash("sha256").update(text).digest().readUInt32LE(0) / 2 ** 32 < fraction;
}

/** Number of code points. */
export function countChars(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      count--;
      i++;
    }
  }
  return count;
}

/**
 * Gives the first `numTrainChars` code points handed in to training and the rest to validation, as
 * nanoGPT splits its text.
 */
export function createTailSplitter(numTrainChars: number): (text: string) => SplitText[] {
  let left = numTrainChars;
  return (text) => {
    const chars = countChars(text);
    if (left >= chars) {
      left -= chars;
      return [{ split: "train", text }];
    }
    const cut = codeUnits(text, left);
    left = 0;
    const parts: SplitText[] = [
      { split: "train", text: text.slice(0, cut) },
      { split: "validation", text: text.slice(cut) },
    ];
    return parts.filter((part) => part.text !== "");
  };
}

/** Length in code units of the first `numChars` code points. */
function codeUnits(text: string, numChars: number): number {
  let at = 0;
  for (let i = 0; i < numChars; i++) at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  return at;
}
