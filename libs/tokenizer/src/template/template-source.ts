import { StagecraftError } from "@stagecraft/core";

type Files = Readonly<Record<string, string>>;
type Json = Record<string, unknown>;

/** A template's own file beside tokenizer.json, which goes before the one in tokenizer_config.json. */
export const TEMPLATE_FILE = "chat_template.jinja";

/** The chat template that stands beside a tokenizer, and what a template may call by name. */
export interface TemplateSource {
  /** Jinja. */
  text: string;
  /** The one for conversations with tools, where there are several. */
  withTools: string;
  /** `bos_token` and its like. */
  names: Readonly<Record<string, string>>;
}

/** The template of a tokenizer's files; undefined when they have none. */
export function templateSourceOf(files: Files): TemplateSource | undefined {
  const config = parseObject(files, "tokenizer_config.json");
  const own = files[TEMPLATE_FILE] ?? config["chat_template"];
  const names = tokenNames({ ...parseObject(files, "special_tokens_map.json"), ...config });
  if (typeof own === "string") return { text: own, withTools: own, names };
  if (!Array.isArray(own)) return undefined;
  const byName = new Map(own.map((entry: Json) => [entry["name"], entry["template"]]));
  const text = byName.get("default");
  if (typeof text !== "string") return undefined;
  return { text, withTools: (byName.get("tool_use") as string | undefined) ?? text, names };
}

/** The texts of the tokens that a configuration names: `eos_token` and others that end alike. */
function tokenNames(config: Json): Record<string, string> {
  const named = Object.entries(config).flatMap(([key, value]) => {
    const text =
      typeof value === "string" ? value : (value as { content?: unknown } | null)?.content;
    return key.endsWith("_token") && typeof text === "string" ? [[key, text]] : [];
  });
  return Object.fromEntries(named) as Record<string, string>;
}

function parseObject(files: Files, name: string): Json {
  try {
    return JSON.parse(files[name] ?? "{}") as Json;
  } catch (cause) {
    throw new StagecraftError("invalid_argument", `${name} is not valid JSON`, { cause });
  }
}
