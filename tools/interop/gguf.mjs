// Models written for llama.cpp: it reads them (through npm's node-llama-cpp, whose binaries are in its packages),
// has the same tokens and the same greedy text; the package gguf makes the same bytes of every tensor.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { loadLibrary } from "./library.mjs";
import { tokenizerFiles } from "./npm-files.mjs";
import { pythonWith, run } from "./python.mjs";

const VERSION = "3.22.1";
const TYPES = ["f32", "f16", "bf16", "q8_0"];

/** Real tokenizers: of sentencepiece's kind, and Llama 3's. */
const REAL = ["llama2", "gemma2", "gemma3", "llama3"];

/** What texts are tried without: the command says of it that llama.cpp has other tokens. */
const OTHERWISE = { gemma2: /<\/s>|▁/g, gemma3: /<\/s>|▁/g };

/** llama.cpp leaves spaces out of whole texts. */
const CLEANED = ["gpt-2", "llama-bpe", "llama3"];

/**
 * @param {string} root
 * @returns {Promise<{ name: string, problem?: string }[]>}
 */
export async function checkGguf(root) {
  const folder = mkdtempSync(join(tmpdir(), "interop-gguf-"));
  const python = pythonWith(root, ["torch", "transformers", "tokenizers", "gguf"]);
  const script = join(root, "tools", "interop", "gguf_models.py");
  try {
    run(python, [
      script,
      "make",
      folder,
      ...REAL.map((name) => `${name}=${tokenizerFiles(root, name)}`),
    ]);
    const { exportGguf, loadTokenizer } = await loadLibrary(root);
    const { text, ids, greedy } = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8"));
    const llama = await loadLlama(root);
    const results = [];
    for (const [name, expected] of Object.entries(greedy)) {
      for (const dtype of TYPES) {
        const file = join(folder, `${name}-${dtype}.gguf`);
        await exportGguf(join(folder, name), file, { dtype });
        const found = await ask(llama, file, { text, ids, wanted: expected.ids });
        const { problem, numTies } = differences(found, { ids, expected, dtype });
        const ties =
          numTies > 0 ? `, ${numTies} of ${expected.ids.length} tokens at near ties` : "";
        const row = `gguf ${name} ${dtype} in llama.cpp${ties}`;
        results.push({ name: row, ...(problem && { problem }) });
      }
    }
    const { texts, tokenizers } = JSON.parse(readFileSync(join(folder, "texts.json"), "utf8"));
    for (const tokenizer of tokenizers) {
      const directory = join(folder, `tokens-${tokenizer}`);
      const file = `${directory}.gguf`;
      await exportGguf(directory, file, { dtype: "f16" });
      const ours = await loadTokenizer(directory);
      results.push(...(await compareTokens(llama, file, { texts, ours, tokenizer })));
    }
    run(python, [script, "check", folder]);
    const bytes = JSON.parse(readFileSync(join(folder, "problems.json"), "utf8"));
    for (const [name, problems] of Object.entries(bytes)) {
      const problem = problems.map((/** @type {string} */ each) => `  ${each}`).join("\n");
      results.push({ name: `gguf ${name}, every byte`, ...(problem && { problem }) });
    }
    return results;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * llama.cpp on the CPU, of an npm package that is no dependency of ours.
 * @param {string} root
 */
async function loadLlama(root) {
  const home = join(root, ".cache", "interop", "llama");
  const installed = join(home, "node_modules", "node-llama-cpp");
  if (!existsSync(installed)) {
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, "package.json"), '{ "private": true }\n');
    const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefix", home];
    run("npm", ["install", ...flags, `node-llama-cpp@${VERSION}`]);
  }
  const { getLlama } = await import(pathToFileURL(join(installed, "dist", "index.js")).href);
  return getLlama({ gpu: false, build: "never", logLevel: "error", maxThreads: 1 });
}

/**
 * llama.cpp's likeliest token after the prompt and after each of the wanted ones: where it has another, it
 * goes on from the wanted one, so that all of them are compared.
 * @param {any} llama
 * @param {string} file
 * @param {{ text: string, ids: number[], wanted: number[] }} what
 */
async function ask(llama, file, { text, ids, wanted }) {
  const model = await llama.loadModel({ modelPath: file });
  const context = await model.createContext({
    contextSize: 128,
    threads: 1,
    flashAttention: false,
  });
  const sequence = context.getSequence();
  /** @type {number[]} */
  const greedy = [];
  for (let before = -1; greedy.length < wanted.length && greedy.length > before;) {
    before = greedy.length;
    await sequence.clearHistory();
    const prompt = [...ids, ...wanted.slice(0, before)];
    for await (const id of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
      greedy.push(id);
      if (greedy.length === wanted.length || id !== wanted[greedy.length - 1]) break;
    }
  }
  const tokens = [...model.tokenize(text, false)];
  await context.dispose();
  await model.dispose();
  return { tokens, greedy };
}

/**
 * Special tokens as text, read, and the texts of the first back.
 * @param {any} llama
 * @param {string} file
 * @param {{ texts: string[], ours: any, tokenizer: string }} what
 */
async function compareTokens(llama, file, { texts, ours, tokenizer }) {
  const otherwise = /** @type {Record<string, RegExp>} */ (OTHERWISE)[tokenizer];
  const some = otherwise ? texts.map((text) => text.replace(otherwise, "")) : texts;
  const model = await llama.loadModel({ modelPath: file, vocabOnly: true });
  /** @type {Record<string, (text: string) => [wanted: unknown, found: unknown]>} */
  const checks = {
    "specials as text": (text) => [[...ours.encode(text)], [...model.tokenize(text, false)]],
    "specials read": (text) => [
      [...ours.encodeWithSpecials(text)],
      [...model.tokenize(text, true)],
    ],
    "texts back": (text) => {
      const ids = [...ours.encode(text)];
      return [ours.decode(ids), model.detokenize(ids)];
    },
  };
  if (CLEANED.includes(tokenizer)) delete checks["texts back"];
  const results = Object.entries(checks).map(([what, both]) => ({
    name: `gguf tokens of ${tokenizer}, ${texts.length} hard texts${otherwise ? ` without ${otherwise.source}` : ""}, ${what}`,
    ...differing(some, both),
  }));
  await model.dispose();
  return results;
}

/**
 * @param {string[]} texts
 * @param {(text: string) => [wanted: unknown, found: unknown]} both
 */
function differing(texts, both) {
  const wrong = texts.flatMap((text) => {
    const [wanted, found] = both(text).map((each) => JSON.stringify(each));
    return wanted === found ? [] : [`  ${JSON.stringify(text)}: ${found}, not ${wanted}`];
  });
  if (wrong.length === 0) return {};
  return { problem: [`  ${wrong.length} texts differ`, ...wrong.slice(0, 5)].join("\n") };
}

/**
 * What llama.cpp multiplies weights of a type with it rounds to that type, and keys and values to float16: a token
 * may be another where the lead of the likeliest one, in deviations of the logits, is less than this. For q8_0 a step
 * of 1/127 of a block's largest value is a relative error of about .6 % a product; some fifteen products one after
 * the other make 2 to 3 % of a logit, two logits compared 4 %, and the largest of the 768 tokens here four times that.
 * @type {Record<string, number>}
 */
const NEAR = { f32: 0.002, f16: 0.005, bf16: 0.04, q8_0: 0.15 };

/**
 * @param {{ tokens: number[], greedy: number[] }} found
 * @param {{ ids: number[], expected: { ids: number[], leads: number[] }, dtype: string }} wanted
 */
function differences({ tokens, greedy }, { ids, expected, dtype }) {
  const problems = [];
  if (tokens.join() !== ids.join()) problems.push(`  tokens ${tokens.join()}, not ${ids.join()}`);
  let numTies = 0;
  expected.ids.forEach((id, i) => {
    if (greedy[i] === id) return;
    numTies++;
    const lead = Number(expected.leads[i]);
    if (greedy[i] !== undefined && lead < Number(NEAR[dtype])) return;
    problems.push(`  token ${i} is ${greedy[i]}, not ${id} (of a lead of ${lead.toFixed(3)})`);
  });
  return { problem: problems.join("\n"), numTies };
}
