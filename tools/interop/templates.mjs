// Chat templates of real repositories on twenty conversations: the text, the prompt and the ids that
// transformers gives, and the mask where what is learnt follows from rendering prefixes. What was not
// compared is counted; a template of which nothing was, fails.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
  ...["phi3:3.8b", "phi4:14b", "qwen2.5:0.5b", "smollm2:135m", "stable-code:3b"],
  ...["tinyllama:1.1b", "yi:6b"],
];

/** Ends a turn with no token: there is no rule for its masks. */
const WITHOUT_TURN_END = ["falcon2:11b"];

/** How templates of the list spell tokens of their own tokenizers. */
const TOKEN_NAME = /<\|\w+\|>|<｜[^｜]+｜>|\[\|\w+\|\]|<extra_id_\d>/g;

/** @typedef {{ name: string, folder: string, template: string, names: Record<string, string> }} Given */
/** @typedef {{ text: string, prompt: string, ids: number[], mask: number[] | null } | null} Expected */

/**
 * @param {string} root
 * @returns {Promise<{ name: string, problem?: string, note?: string }[]>}
 */
export async function checkTemplates(root) {
  const folder = mkdtempSync(join(tmpdir(), "interop-templates-"));
  try {
    const python = pythonWith(root, ["transformers", "jinja2"]);
    const library = await import(
      pathToFileURL(join(root, "libs", "tokenizer", "dist", "index.js")).href
    );
    const listed = await ofList(root, folder);
    const templates = [...ofTokenizers(root), ...listed];
    const [given, expected] = [join(folder, "given.json"), join(folder, "expected.json")];
    writeFileSync(given, JSON.stringify({ templates, conversations: CONVERSATIONS }));
    run(python, [join(root, "tools", "interop", "make_chats.py"), given, expected]);
    const lists = JSON.parse(readFileSync(expected, "utf8"));
    return templates.map((template, i) => ({
      name: `template ${template.name}`,
      ...compared(library, template, lists[i]),
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
 * Templates of the list with Qwen3's tokenizer, to which the tokens that each spells are added: what marks
 * a turn is a token in the template's own tokenizer, too.
 * @param {string} root
 * @param {string} parent gets a folder for each
 * @returns {Promise<Given[]>}
 */
async function ofList(root, parent) {
  const all = await listedTemplates(root);
  const base = readFileSync(join(tokenizerFiles(root, "qwen3"), "tokenizer.json"), "utf8");
  const names = { bos_token: "<|endoftext|>", eos_token: "<|im_end|>" };
  return LISTED.map((model, i) => {
    const entry = all.find((/** @type {any} */ each) => each.model === `library/${model}`);
    if (!entry) throw new Error(`@huggingface/ollama-utils has no template of ${model}`);
    const folder = join(parent, String(i));
    mkdirSync(folder);
    writeFileSync(join(folder, "tokenizer.json"), withTokens(base, entry.gguf.match(TOKEN_NAME)));
    return { name: model, folder, template: entry.gguf, names };
  });
}

/**
 * @param {string} file a tokenizer.json
 * @param {string[] | null} names of special tokens that it gets where it lacks them
 */
function withTokens(file, names) {
  const json = JSON.parse(file);
  const known = new Set(json.added_tokens.map((/** @type {any} */ { content }) => content));
  const [last] = json.added_tokens.slice(-1);
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  const missing = [...new Set(names)].filter((name) => !known.has(name));
  json.added_tokens.push(
    ...missing.map((content, i) => ({ ...flags, id: last.id + 1 + i, content, special: true })),
  );
  return JSON.stringify(json);
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
 * @returns {{ problem?: string, note: string }}
 */
function compared(library, { name, folder, template, names }, expected) {
  const tokenizer = library.tokenizerFromFiles({
    "tokenizer.json": readFileSync(join(folder, "tokenizer.json"), "utf8"),
    "tokenizer_config.json": JSON.stringify({ ...names, chat_template: template }),
  });
  const problems = CONVERSATIONS.flatMap((messages, i) => {
    const wrong = differenceOf(library, tokenizer, messages, expected[i] ?? null);
    return wrong ? [`conversation ${i}: ${wrong}`] : [];
  });
  const rendered = expected.filter((each) => each !== null);
  const masks = rendered.filter(({ mask }) => mask?.includes(1)).length;
  if (rendered.length === 0) problems.push("no conversation was compared");
  if (masks === 0 && !WITHOUT_TURN_END.includes(name)) problems.push("no mask was compared");
  const note =
    `${rendered.length} conversations compared, ${expected.length - rendered.length} refused by both; ` +
    `${masks} masks of answers compared, ${withAnswer(expected) - masks} skipped`;
  return { ...(problems.length > 0 && { problem: problems.join("\n") }), note };
}

/**
 * How many of the conversations that transformers renders have an answer.
 * @param {Expected[]} expected
 */
function withAnswer(expected) {
  return CONVERSATIONS.filter(
    (messages, i) => expected[i] && messages.some(({ role }) => role === "assistant"),
  ).length;
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
