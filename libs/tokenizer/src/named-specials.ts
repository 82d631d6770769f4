import { ownSpecialIds } from "./special-tokens.js";
import type { SpecialIds } from "./tokenizer.js";

type TokenName = string | { content?: string } | null | undefined;

/**
 * Special ids by our own names, then by what tokenizer_config.json and special_tokens_map.json
 * call bos, eos and pad.
 */
export function namedSpecialIds(
  files: Readonly<Record<string, string>>,
  idOf: (token: string) => number | undefined,
): SpecialIds {
  const own = ownSpecialIds(idOf);
  const named = {
    ...parseObject(files["special_tokens_map.json"]),
    ...parseObject(files["tokenizer_config.json"]),
  };
  const byName = (key: string) => {
    const name = named[key] as TokenName;
    const token = typeof name === "string" ? name : name?.content;
    return token === undefined ? undefined : idOf(token);
  };
  return {
    ...own,
    pad: own.pad ?? byName("pad_token"),
    bos: own.bos ?? byName("bos_token"),
    eos: own.eos ?? byName("eos_token"),
  };
}

function parseObject(text: string | undefined): Record<string, unknown> {
  return text === undefined ? {} : (JSON.parse(text) as Record<string, unknown>);
}
