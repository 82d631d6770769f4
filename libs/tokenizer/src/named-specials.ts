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
  const byName = (key: string) => namedTokenId(files, idOf, key);
  return {
    ...own,
    pad: own.pad ?? byName("pad_token"),
    bos: own.bos ?? byName("bos_token"),
    eos: own.eos ?? byName("eos_token"),
  };
}

/** The id of a token by its role, such as `eos_token`; undefined where the files name none. */
export function namedTokenId(
  files: Readonly<Record<string, string>>,
  idOf: (token: string) => number | undefined,
  key: string,
): number | undefined {
  const named = {
    ...parseObject(files["special_tokens_map.json"]),
    ...parseObject(files["tokenizer_config.json"]),
  };
  const name = named[key] as TokenName;
  const token = typeof name === "string" ? name : name?.content;
  return token === undefined ? undefined : idOf(token);
}

function parseObject(text: string | undefined): Record<string, unknown> {
  return text === undefined ? {} : (JSON.parse(text) as Record<string, unknown>);
}
