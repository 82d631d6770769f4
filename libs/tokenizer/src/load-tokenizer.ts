import { mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { StagecraftError } from "@stagecraft/core";
import { createCharTokenizer } from "./char-tokenizer.js";
import { GENERATION_CONFIG, listedEndIds, withEndIds } from "./end-ids.js";
import { createJsonTokenizer } from "./json-tokenizer.js";
import { parsedTokenizerJson } from "./parsed-json.js";
import { checkedTokenizerJson } from "./tokenizer-json-shape.js";
import { KIND_KEY } from "./tokenizer-config.js";
import type { Tokenizer } from "./tokenizer.js";

/** What is read beside tokenizer.json and kept for `files()`. */
const COMPANIONS = [
  ...["tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"],
  GENERATION_CONFIG,
];

/**
 * The tokenizer of a directory that holds tokenizer.json: one of ours, or a foreign one in Hugging
 * Face's format (BPE or Unigram), which gets the kind "external".
 * @throws `not_found`, `invalid_argument` (broken file) or `unimplemented` (another kind), with path
 */
export async function loadTokenizer(dir: string): Promise<Tokenizer> {
  const files: Record<string, string> = {};
  for (const name of ["tokenizer.json", ...COMPANIONS]) {
    const text = await readIfThere(join(dir, name));
    if (text !== undefined) files[name] = text;
  }
  if (files["tokenizer.json"] === undefined) {
    throw new StagecraftError(
      "not_found",
      `no tokenizer.json in ${dir}; give a directory written by "stagecraft tokenizer", ` +
        `by a training stage, or in Hugging Face layout`,
      { details: { dir } },
    );
  }
  return tokenizerFromFiles(await withConfigEnds(files, dir), dir);
}

/** A model's config.json may list end ids, too; they go where the tokenizer's other ones are. */
async function withConfigEnds(files: Record<string, string>, dir: string) {
  const ofConfig = listedEndIds(await readIfThere(join(dir, "config.json")), `${dir}/config.json`);
  if (ofConfig.length === 0) return files;
  const own = listedEndIds(files[GENERATION_CONFIG], `${dir}/${GENERATION_CONFIG}`);
  const all = [...new Set([...own, ...ofConfig])];
  return { ...files, [GENERATION_CONFIG]: withEndIds(files[GENERATION_CONFIG], all) };
}

/**
 * A tokenizer from the texts of its files, as `Tokenizer.files()` gives them.
 * @param origin directory named in errors
 */
export function tokenizerFromFiles(
  files: Readonly<Record<string, string>>,
  origin = "the given files",
): Tokenizer {
  try {
    const json = checkedTokenizerJson(parseJson(files, "tokenizer.json"));
    for (const name of ["tokenizer_config.json", "special_tokens_map.json"]) {
      if (files[name] !== undefined) parseJson(files, name);
    }
    const kind = files["tokenizer_config.json"]
      ? parseJson(files, "tokenizer_config.json")[KIND_KEY]
      : undefined;
    if (kind === "chars") return createCharTokenizer(files, json);
    return createJsonTokenizer(kind === "bpe" ? "bpe" : "external", files, json);
  } catch (thrown) {
    const error = StagecraftError.from(asNesting(thrown), "invalid_argument");
    throw new StagecraftError(error.code, `tokenizer of ${origin}: ${error.reason}`, {
      cause: thrown,
      details: { ...error.details, origin },
    });
  }
}

/**
 * Writes the tokenizer's files into the directory, each atomically; creates the directory. What only
 * says how a model generates is left out.
 */
export async function saveTokenizer(tokenizer: Tokenizer, dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  for (const [name, text] of Object.entries(tokenizer.files())) {
    if (name === GENERATION_CONFIG) continue;
    const temporary = join(dir, `.${name}.${process.pid}.tmp`);
    const handle = await open(temporary, "w");
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, join(dir, name));
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file)).toString("utf8"); // twice as fast as reading it as text
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw StagecraftError.from(cause);
  }
}

function parseJson(files: Readonly<Record<string, string>>, name: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    const text = files[name] ?? "";
    parsed = name === "tokenizer.json" ? parsedTokenizerJson(text) : JSON.parse(text);
  } catch (cause) {
    throw new StagecraftError("invalid_argument", `${name} is not valid JSON`, { cause });
  }
  if (isObject(parsed)) return parsed;
  throw new StagecraftError("invalid_argument", `${name} must hold a JSON object`);
}

/** A stack that overflows says nothing to a reader. */
function asNesting(thrown: unknown): unknown {
  if (!(thrown instanceof RangeError)) return thrown;
  return new StagecraftError("invalid_argument", "tokenizer.json is nested too deeply");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
