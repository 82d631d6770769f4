// Models written for llama.cpp: it reads them (through npm's node-llama-cpp, whose binaries are in its packages),
// has the same tokens and the same greedy text; the package gguf makes the same bytes of every tensor.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { loadLibrary } from "./models.mjs";
import { pythonWith, run } from "./python.mjs";

const VERSION = "3.22.1";
const TYPES = ["f32", "f16", "bf16", "q8_0"];

/**
 * @param {string} root
 * @returns {Promise<{ name: string, problem?: string }[]>}
 */
export async function checkGguf(root) {
  const folder = mkdtempSync(join(tmpdir(), "interop-gguf-"));
  const python = pythonWith(root, ["torch", "transformers", "tokenizers", "gguf"]);
  const script = join(root, "tools", "interop", "gguf_models.py");
  try {
    run(python, [script, "make", folder]);
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
    const { texts, patterns } = JSON.parse(readFileSync(join(folder, "texts.json"), "utf8"));
    for (const pattern of patterns) {
      const directory = join(folder, `tokens-${pattern}`);
      const file = `${directory}.gguf`;
      await exportGguf(directory, file, { dtype: "f32" });
      const ours = await loadTokenizer(directory);
      const problem = await otherTokens(llama, file, { texts, ours });
      const name = `gguf tokens of ${pattern}, ${texts.length} hard texts`;
      results.push({ name, ...(problem && { problem }) });
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
 * @param {any} llama
 * @param {string} file
 * @param {{ texts: string[], ours: any }} what
 */
async function otherTokens(llama, file, { texts, ours }) {
  const model = await llama.loadModel({ modelPath: file, vocabOnly: true });
  const wrong = texts.flatMap((text) => {
    const [wanted, found] = [[...ours.encode(text)], [...model.tokenize(text, false)]];
    return wanted.join() === found.join()
      ? []
      : [`${JSON.stringify(text)}: ${found.join()}, not ${wanted.join()}`];
  });
  await model.dispose();
  if (wrong.length === 0) return "";
  return [`  ${wrong.length} texts differ`, ...wrong.slice(0, 5).map((each) => `  ${each}`)].join(
    "\n",
  );
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
