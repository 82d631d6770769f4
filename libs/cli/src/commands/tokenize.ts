import type { Command } from "commander";
import { StagecraftError } from "@stagecraft/core";
import { loadTokenizer, type Tokenizer } from "@stagecraft/tokenizer";
import type { CommandScope } from "../app/command.js";
import { modelArgument, whereTo } from "../models/model-argument.js";
import { readJsonFile } from "./json-file.js";
import { examplesText } from "./stage-command.js";

interface TokenizeFlags {
  texts: string;
  special?: boolean;
  bos?: boolean;
  addSpecialTokens?: boolean;
  json?: boolean;
}

/** `stagecraft tokenize MODEL --texts FILE`: the token ids of texts, to compare with other tools. */
export function tokenizeCommand(command: Command, scope: CommandScope): void {
  const { io } = scope;
  command
    .argument("<model>", "model directory, or one with a tokenizer")
    .requiredOption("--texts <file>", "JSON: a list of texts")
    .option("--special", "read special tokens where their names stand; without it they are text")
    .option("--bos", "put the token that begins a text before each")
    .option(
      "--add-special-tokens",
      "put around each what the tokenizer's post-processor puts there, as Hugging Face does",
    )
    .option("--json", "one list of ids a text, as one JSON list")
    .addHelpText(
      "after",
      examplesText(["npx stagecraft tokenize runs/demo/ppo/model --texts texts.json --json"]),
    )
    .action(async (dir: string, flags: TokenizeFlags) => {
      const texts = textsOf(await readJsonFile(flags.texts), flags.texts);
      const tokenizer = await loadTokenizer(await modelArgument(dir, whereTo(scope)));
      const start = flags.bos ? [bosOf(tokenizer, dir)] : [];
      const { before, after } = flags.addSpecialTokens ? tokenizer.textAffixes : NO_AFFIXES;
      const encode = flags.special ? tokenizer.encodeWithSpecials : tokenizer.encode;
      const lists = texts.map((text) => [...start, ...before, ...encode(text), ...after]);
      if (flags.json) io.out.write(`${JSON.stringify(lists)}\n`);
      else for (const ids of lists) io.out.write(`${shown(tokenizer, ids)}\n`);
    });
}

const NO_AFFIXES = { before: [], after: [] };

function textsOf(value: unknown, file: string): string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw new StagecraftError("invalid_argument", `${file} must hold a JSON list of texts`);
}

function bosOf(tokenizer: Tokenizer, dir: string): number {
  if (tokenizer.specials.bos !== undefined) return tokenizer.specials.bos;
  throw new StagecraftError(
    "failed_precondition",
    `the tokenizer of ${dir} names no token that begins a text (bos_token); leave --bos out`,
  );
}

/** Ids with what they stand for: `15339 "hello"`. */
function shown(tokenizer: Tokenizer, ids: readonly number[]): string {
  const texts = ids.map((id) => {
    const bytes = Buffer.from(tokenizer.decodeBytes([id], { skipSpecials: false }));
    return `${id} ${JSON.stringify(bytes.toString("utf8"))}`;
  });
  return `${ids.length} tokens: ${texts.join(", ")}`;
}
