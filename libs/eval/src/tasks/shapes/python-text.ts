import { RecordProblem } from "@stagecraft/data";

/** What Python sees in texts where JavaScript sees something else, for figures that equal lm-eval's. */

/** The white space that Python's `str.strip` and `\s` take, as the inside of a character class. */
const SPACES =
  "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const END = new RegExp(`[${SPACES}]+$`);
const ENDS = new RegExp(`^[${SPACES}]+|${END.source}`, "g");

/** As Python's `str.strip()`. */
export const strip = (text: string) => text.replace(ENDS, "");

/** As Python's `str.rstrip()`. */
export const stripEnd = (text: string) => text.replace(END, "");

const WORD = "[\\p{L}\\p{N}_]";
const CLASSES: Readonly<Record<string, string>> = {
  "\\s": `[${SPACES}]`,
  "\\d": "\\p{Nd}",
  "\\w": WORD,
  "\\b": `(?:(?<=${WORD})(?!${WORD})|(?<!${WORD})(?=${WORD}))`,
  ".": "[^\\n]",
};

/**
 * A pattern as Python's `re` reads it: digits, letters and edges of words of all languages, its own white
 * space, a full stop that stands for all but a line feed. Throws `RecordProblem` for what neither reads.
 */
export function pythonPattern(source: string, flags = ""): RegExp {
  const parts = /\\[^]|\[(?:\\[^]|[^\]\\])*\]|[^]/g;
  const translated = source.replace(parts, (part) => CLASSES[part] ?? literal(part));
  try {
    return new RegExp(translated, `${flags}u`);
  } catch {
    throw new RecordProblem(`"${source}" is no regular expression that is read here`);
  }
}

/** Python takes a bracket alone and a needless backslash as they stand, JavaScript refuses them. */
function literal(part: string): string {
  if (/^\\[^\p{L}\p{N}]$/u.test(part))
    return /^\\[\^$\\.*+?()[\]{}|/]$/.test(part) ? part : part[1]!;
  return part === "]" ? "\\]" : part;
}

/** A text in which Python's `re.IGNORECASE` finds what `i` finds here: Turkish i's are i's to it. */
export const foldedIs = (text: string) => text.replace(/[İı]/g, "i");

/** Words as nltk's `RegexpTokenizer(r"\w+")` cuts them, since 3.10 with the `regex` package. */
export const PYTHON_WORDS = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+/gu;

/** Whether Python's `json.loads` reads a text: `NaN` and `Infinity` are numbers to it. */
export function isPythonJson(text: string): boolean {
  const numbers = /"(?:\\[^]|[^"\\])*"|(?<![\w.+-])(?:NaN|-?Infinity)(?!\w)/g;
  try {
    JSON.parse(text.replace(numbers, (part) => (part.startsWith('"') ? part : "0")));
    return true;
  } catch {
    return false;
  }
}
