import { translateRegex } from "./oniguruma.js";
import { refuseBacktracking } from "./regex-safety.js";
import type { PatternJson } from "./tokenizer-json.js";

/**
 * The JavaScript regex of a pattern of tokenizer.json, flags `gu`.
 * @throws `unimplemented` for one that cannot be translated, or that some text could keep busy for minutes
 */
export function regexOf(pattern: PatternJson | undefined): RegExp {
  if (pattern?.Regex === undefined) {
    return new RegExp(escapeRegex(pattern?.String ?? ""), "gu");
  }
  const regex = translateRegex(pattern.Regex);
  refuseBacktracking(pattern.Regex, regex);
  return regex;
}

/** A text as a regex that matches it and nothing else. */
export function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
