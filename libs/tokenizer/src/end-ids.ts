import { StagecraftError } from "@stagecraft/core";
import { findChatFormat } from "./chat-format.js";
import type { ChatTokens } from "./chat-types.js";
import { namedTokenId } from "./named-specials.js";

/** Where transformers looks for the ids that end an answer. */
export const GENERATION_CONFIG = "generation_config.json";

type Files = Readonly<Record<string, string>>;

/**
 * The ids that end an answer, each once: the one that ends a turn, which fine-tuning teaches; the
 * tokenizer's `eos_token`, which in base models is often another; those that generation_config.json
 * lists. The one place that says what ends a turn: see `Tokenizer.endIds`.
 */
export function endIdsOf(
  tokenizer: ChatTokens,
  files: Files,
  listed: readonly number[],
): readonly number[] {
  const found = [
    turnEndOf(tokenizer, files),
    tokenizer.specials.eos,
    namedTokenId(files, (token) => tokenizer.idOf(token), "eos_token"),
    ...listed,
  ];
  return [...new Set(found.filter((id) => id !== undefined))];
}

/** A template that cannot be read is reported to who chats, not to who trains on texts. */
function turnEndOf(tokenizer: ChatTokens, files: Files): number | undefined {
  try {
    return findChatFormat(tokenizer, files)?.end;
  } catch (thrown) {
    if (thrown instanceof StagecraftError) return undefined;
    throw thrown;
  }
}

/** `eos_token_id` of a configuration in JSON, an id or a list of them; [] where there is none. */
export function listedEndIds(text: string | undefined, file: string): number[] {
  const stored = text === undefined ? undefined : eosTokenId(text, file);
  const ids: unknown[] = Array.isArray(stored) ? stored : [stored ?? []].flat();
  if (ids.every((id): id is number => Number.isInteger(id) && (id as number) >= 0)) return ids;
  throw new StagecraftError(
    "invalid_argument",
    `${file}: eos_token_id must be an id or a list of ids, got ${JSON.stringify(stored)}`,
  );
}

/** generation_config.json with these end ids, the rest as it was. */
export function withEndIds(text: string | undefined, endIds: readonly number[]): string {
  const rest = text === undefined ? {} : (JSON.parse(text) as Record<string, unknown>);
  const id = endIds.length === 1 ? endIds[0] : endIds;
  return `${JSON.stringify({ ...rest, eos_token_id: id }, null, 2)}\n`;
}

function eosTokenId(text: string, file: string): unknown {
  try {
    return (JSON.parse(text) as Record<string, unknown> | null)?.["eos_token_id"];
  } catch (cause) {
    throw new StagecraftError("invalid_argument", `${file} is not valid JSON`, { cause });
  }
}
