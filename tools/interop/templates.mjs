// Chat templates of real repositories on twenty conversations: the text, the prompt and the ids that
// transformers gives, and the mask where what is learnt follows from rendering prefixes.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { CONVERSATIONS } from "./conversations.mjs";
import { packageFiles, TOKENIZERS, tokenizerFiles } from "./npm-files.mjs";
import { pythonWith, run } from "./python.mjs";

/** Of the list in @huggingface/ollama-utils, each from the repository of another family. */
const LISTED = [
  ...["aya-expanse:8b", "command-r:35b", "dbrx:132b", "deepseek-coder:1.3b", "deepseek-r1:8b"],
  ...[
    "exaone3.5:7.8b",
    "falcon2:11b",
    "granite3.3:2b",
    "hermes3:70b",
    "internlm2:1.8b",
    "llama3.2:3b",
  ],
  ...["mistral:7b-instruct-fp16", "mixtral:8x7b", "nemotron-mini:4b", "olmo2:7b"],
  ...["phi4:14b", "qwen2.5:0.5b", "smollm2:135m", "stable-code:3b", "tinyllama:1.1b", "yi:6b"],
];

/** @typedef {{ name: string, folder: string, template: string, names: Record<string, string> }} Given */
/** @typedef {{ text: string, prompt: string, ids: number[], mask: number[] | null } | null} Expected */

/**
 * @param {string} root
 * @returns {Promise<{ name: string, problem?: string }[]>}
 */
export async function checkTemplates(root) {
  const folder = mkdtempSync(join(tmpdir(), "interop-templates-"));
  try {
    const python = pythonWith(root, ["transformers", "jinja2"]);
    const templates = [...ofTokenizers(root), ...(await ofList(root))];
    const [given, expected] = [join(folder, "given.json"), join(folder, "expected.json")];
    writeFileSync(given, JSON.stringify({ templates, conversations: CONVERSATIONS }));
    run(python, [join(root, "tools", "interop", "make_chats.py"), given, expected]);
    const lists = JSON.parse(readFileSync(expected, "utf8"));
    const library = await import(
      pathToFileURL(join(root, "libs", "tokenizer", "dist", "index.js")).href
    );
    return templates.map((template, i) => ({
      name: `template ${template.name}`,
      ...problemOf(library, template, lists[i]),
    }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} root
 * @returns {Given[]}
 */
function ofTokenizers(root) {
  return TOKENIZERS.flatMap((name) => {
    const folder = tokenizerFiles(root, name);
    const config = JSON.parse(readFileSync(join(folder, "tokenizer_config.json"), "utf8"));
    if (typeof config.chat_template !== "string") return [];
    const names = Object.fromEntries(
      ["bos_token", "eos_token", "pad_token", "unk_token"].flatMap((key) => {
        const token = config[key]?.content ?? config[key];
        return typeof token === "string" ? [[key, token]] : [];
      }),
    );
    return [{ name, folder, template: config.chat_template, names }];
  });
}

/**
 * @param {string} root
 * @returns {Promise<Given[]>}
 */
async function ofList(root) {
  const all = await listedTemplates(root);
  const folder = tokenizerFiles(root, "qwen3");
  const names = { bos_token: "<|endoftext|>", eos_token: "<|im_end|>" };
  return LISTED.map((model) => {
    const entry = all.find((/** @type {any} */ each) => each.model === `library/${model}`);
    if (!entry) throw new Error(`@huggingface/ollama-utils has no template of ${model}`);
    return { name: model, folder, template: entry.gguf, names };
  });
}

/**
 * The list as the package's source has it: a literal of plain values behind a type.
 * @param {string} root
 * @returns {Promise<{ model: string, gguf: string }[]>}
 */
async function listedTemplates(root) {
  const files = packageFiles(root, "@huggingface/ollama-utils", "0.0.18");
  const source = readFileSync(join(files, "src", "chat-template-automap.ts"), "utf8");
  const literal = source.slice(source.indexOf("= [") + 2);
  const module = `data:text/javascript;base64,${Buffer.from(`export default ${literal}`).toString("base64")}`;
  return (await import(module)).default;
}

/**
 * @param {any} library
 * @param {Given} given
 * @param {Expected[]} expected
 */
function problemOf(library, { folder, template, names }, expected) {
  const tokenizer = library.tokenizerFromFiles({
    "tokenizer.json": readFileSync(join(folder, "tokenizer.json"), "utf8"),
    "tokenizer_config.json": JSON.stringify({ ...names, chat_template: template }),
  });
  const problems = CONVERSATIONS.flatMap((messages, i) => {
    const wrong = differenceOf(library, tokenizer, messages, expected[i] ?? null);
    return wrong ? [`conversation ${i}: ${wrong}`] : [];
  });
  return problems.length === 0 ? {} : { problem: problems.join("\n") };
}

/**
 * @param {any} library
 * @param {any} tokenizer
 * @param {object[]} messages
 * @param {Expected} expected
 * @returns {string | undefined}
 */
function differenceOf(library, tokenizer, messages, expected) {
  const tried = (/** @type {() => any} */ work) => {
    try {
      return work();
    } catch (thrown) {
      return { refused: String(thrown) };
    }
  };
  const chat = tried(() => library.renderChat(tokenizer, messages));
  if (expected === null) return chat.refused ? undefined : "rendered, and transformers refuses it";
  if (chat.refused) return chat.refused;
  if (chat.text !== expected.text) return `text ${JSON.stringify([chat.text, expected.text])}`;
  if (String(chat.ids) !== String(expected.ids)) return "ids differ";
  const options = { addGenerationPrompt: true };
  const prompt = tried(() => library.renderChat(tokenizer, messages, options).text);
  if (expected.prompt !== null && prompt !== expected.prompt) return "the prompt differs";
  if (expected.mask === null) return undefined;
  const mask = tried(() => chat.assistantMask);
  return String(mask) === String(expected.mask) ? undefined : (mask.refused ?? "masks differ");
}
