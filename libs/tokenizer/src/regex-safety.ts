import { createContext, runInContext } from "node:vm";
import { StagecraftError } from "@stagecraft/core";

/** Characters of a probe; what backtracks more than in a line needs a multiple of the time by then. */
const PROBE_LENGTH = 30_000;
/** What all probes may take together; a regex that reads a text in a line takes a hundredth of it. */
const PROBE_LIMIT_MS = 2000;
const PROBE_CHARS = [
  " ",
  "\n",
  "a",
  "A",
  "1",
  "!",
  "'",
  "é",
  "中",
  "\u0301",
  "\t\n",
  "a1",
  "a ",
  "aA",
  "!\n",
];

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const REST = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** Those of GPT-2, GPT-4 and Llama 3, and Qwen 2, looked at by people. */
const KNOWN: ReadonlySet<string> = new Set([
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  ...["\\p{N}{1,3}", "\\p{N}"].map((digits) => {
    return `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}${REST}`;
  }),
]);

/**
 * Throws `unimplemented` for a regex of a tokenizer file that backtracks: on some text it would take
 * minutes, and whoever may send text could stop the server. Judged by its form (a repetition of
 * something that repeats) and by texts made to mislead it, under a time limit.
 * @param pattern as it stands in the file
 */
export function refuseBacktracking(pattern: string, regex: RegExp, limitMs = PROBE_LIMIT_MS): void {
  if (KNOWN.has(pattern)) return;
  if (/[+*}]\)+[+*{]/.test(pattern.replace(/\\./g, "x"))) {
    throw refused(pattern, "it repeats a group that itself ends in a repetition");
  }
  const own = [...new Set(pattern.replace(/\\[pP]\{[^}]*\}|\\u\{[^}]*\}|\\./g, ""))].slice(0, 8);
  const texts = [...PROBE_CHARS, ...own].map((unit) => {
    return `${unit.repeat(PROBE_LENGTH / unit.length)}\u0000`;
  });
  const context = createContext({ texts, regex });
  try {
    runInContext("for (const text of texts) text.match(regex)", context, {
      timeout: limitMs,
    });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw cause;
    throw refused(pattern, `${PROBE_LENGTH} characters took it more than ${limitMs} ms`);
  }
}

function refused(pattern: string, reason: string): StagecraftError {
  return new StagecraftError(
    "unimplemented",
    `the pre-tokenization regex ${JSON.stringify(pattern.slice(0, 200))} is refused: ${reason}, so a text could take minutes`,
    { details: { pattern: pattern.slice(0, 200) } },
  );
}
