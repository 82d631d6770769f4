import { StagecraftError } from "@stagecraft/core";

/** Ids that a tokenizer puts before and after a text that is not a part of another. */
export interface TextAffixes {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

type Json = Record<string, unknown>;

const NONE: TextAffixes = { before: [], after: [] };

/**
 * What Hugging Face's `add_special_tokens=True` adds: the tokens of the post-processor of tokenizer.json.
 * `add_bos_token` in tokenizer_config.json says nothing beside a tokenizer.json (transformers 5).
 * @throws `unimplemented` for a post-processor that is none of the usual ones
 */
export function textAffixesOf(postProcessor: unknown): TextAffixes {
  return isObject(postProcessor) ? ofProcessor(postProcessor) : NONE;
}

function ofProcessor(json: Json): TextAffixes {
  switch (json["type"]) {
    case "ByteLevel":
      return NONE;
    case "Sequence":
      return listOf(json["processors"]).map(ofProcessor).reduce(around, NONE);
    case "BertProcessing":
    case "RobertaProcessing":
      return { before: idsOf([listOf(json["cls"])[1]]), after: idsOf([listOf(json["sep"])[1]]) };
    case "TemplateProcessing":
      return ofTemplate(json);
    default:
      throw new StagecraftError(
        "unimplemented",
        `tokenizer.json uses the post-processor ${JSON.stringify(json["type"])}; supported are ByteLevel, Sequence, BertProcessing, RobertaProcessing and TemplateProcessing`,
      );
  }
}

/** The second processor works on what the first has made. */
const around = (inner: TextAffixes, outer: TextAffixes): TextAffixes => ({
  before: [...outer.before, ...inner.before],
  after: [...inner.after, ...outer.after],
});

function ofTemplate({ single, special_tokens: tokens }: Json): TextAffixes {
  const parts = listOf(single);
  const at = parts.findIndex((part) => "Sequence" in part);
  const idsOfPart = (part: Json) => {
    const name = (part["SpecialToken"] as Json | undefined)?.["id"];
    const token = isObject(tokens) && typeof name === "string" ? tokens[name] : undefined;
    return idsOf(isObject(token) ? token["ids"] : undefined);
  };
  if (at < 0) throw broken();
  return {
    before: parts.slice(0, at).flatMap(idsOfPart),
    after: parts.slice(at + 1).flatMap(idsOfPart),
  };
}

function idsOf(value: unknown): number[] {
  if (Array.isArray(value) && value.every((id) => Number.isInteger(id))) return value as number[];
  throw broken();
}

function listOf(value: unknown): Json[] {
  if (Array.isArray(value)) return value as Json[];
  throw broken();
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function broken(): StagecraftError {
  return new StagecraftError("invalid_argument", `tokenizer.json: "post_processor" is broken`);
}
