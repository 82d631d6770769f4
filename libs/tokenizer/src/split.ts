/** What becomes of a delimiter. Source: `SplitDelimiterBehavior` of huggingface/tokenizers. */
export type Behavior =
  "Removed" | "Isolated" | "MergedWithPrevious" | "MergedWithNext" | "Contiguous";

/**
 * Cuts a text at the delimiters that a regex matches. `invert`: the matches are the content and what lies
 * between them the delimiters.
 */
export function splitter(regex: RegExp, behavior: Behavior, invert = false) {
  if (behavior === "Isolated") return isolated(regex); // the same inverted
  if (behavior === "Removed" && invert) return (text: string): string[] => text.match(regex) ?? [];
  return (text: string) => merged(parts(text, regex, invert), behavior);
}

interface Part {
  text: string;
  isDelimiter: boolean;
}

function isolated(regex: RegExp): (text: string) => string[] {
  return (text) => {
    const matches = text.match(regex);
    if (matches === null) return text === "" ? [] : [text];
    let covered = 0;
    for (const match of matches) covered += match.length;
    return covered === text.length ? matches : parts(text, regex, false).map((part) => part.text);
  };
}

function parts(text: string, regex: RegExp, invert: boolean): Part[] {
  const found: Part[] = [];
  let end = 0;
  const gapTo = (start: number) => {
    if (start > end) found.push({ text: text.slice(end, start), isDelimiter: invert });
  };
  for (const match of text.matchAll(regex)) {
    if (match[0] === "") continue;
    gapTo(match.index);
    found.push({ text: match[0], isDelimiter: !invert });
    end = match.index + match[0].length;
  }
  gapTo(text.length);
  return found;
}

function merged(all: readonly Part[], behavior: Behavior): string[] {
  const pieces: string[] = [];
  let last: Part | undefined;
  for (const part of all) {
    const joins =
      last !== undefined &&
      ((behavior === "MergedWithPrevious" && part.isDelimiter && !last.isDelimiter) ||
        (behavior === "MergedWithNext" && !part.isDelimiter && last.isDelimiter) ||
        (behavior === "Contiguous" && part.isDelimiter === last.isDelimiter));
    last = part;
    if (part.isDelimiter && behavior === "Removed") continue;
    if (joins) pieces.push(`${pieces.pop()!}${part.text}`);
    else pieces.push(part.text);
  }
  return pieces;
}
