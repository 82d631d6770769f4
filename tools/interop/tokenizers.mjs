// Twelve real tokenizers on 500 hard texts: the ids that Hugging Face gives, special strings as text and
// read, by the library and by the command line; and the same texts back.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TOKENIZERS, tokenizerFiles } from "./npm-files.mjs";
import { pythonWith, run } from "./python.mjs";

/** @typedef {{ folder: string, text: number[][], special: number[][], added: number[][], decoded: string[] }} Expected */

/**
 * @param {string} root
 * @returns {{ name: string, problem?: string }[]}
 */
export function checkTokenizers(root) {
  const folder = mkdtempSync(join(tmpdir(), "interop-tokenizers-"));
  try {
    const python = pythonWith(root, ["tokenizers"]);
    const expected = join(folder, "expected.json");
    const folders = TOKENIZERS.map((name) => tokenizerFiles(root, name));
    run(python, [join(root, "tools", "interop", "make_ids.py"), expected, ...folders]);
    const { texts, tokenizers } = JSON.parse(readFileSync(expected, "utf8"));
    const file = join(folder, "texts.json");
    writeFileSync(file, JSON.stringify(texts));
    return TOKENIZERS.flatMap((name, i) => problemsOf(root, { name, file, texts }, tokenizers[i]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} root
 * @param {{ name: string, file: string, texts: string[] }} given
 * @param {Expected} expected
 */
function problemsOf(root, { name, file, texts }, expected) {
  const tokenize = (/** @type {string[]} */ ...flags) => {
    const command = join(root, "libs", "cli", "bin", "stagecraft.mjs");
    const args = [command, "tokenize", expected.folder, "--texts", file, "--json", ...flags];
    const { stdout, stderr } = spawnSync(process.execPath, args, {
      encoding: "utf8",
      maxBuffer: 2 ** 28,
    });
    return stdout === "" ? stderr : JSON.parse(stdout);
  };
  return [
    { name: `tokenizer ${name}`, ...difference(texts, tokenize(), expected.text) },
    {
      name: `tokenizer ${name}, specials read`,
      ...difference(texts, tokenize("--special"), expected.special),
    },
    {
      name: `tokenizer ${name}, special tokens added`,
      ...difference(texts, tokenize("--special", "--add-special-tokens"), expected.added),
    },
  ];
}

/**
 * @param {string[]} texts
 * @param {number[][] | string} lists a text is an error's
 * @param {number[][]} expected
 */
function difference(texts, lists, expected) {
  if (typeof lists === "string") return { problem: lists };
  const wrong = texts.filter((_, i) => String(lists[i]) !== String(expected[i]));
  if (wrong.length === 0) return {};
  return { problem: `${wrong.length} texts differ, the first ${JSON.stringify(wrong[0])}` };
}
