// `npm run test:clients -- [node] [python] [lm-eval] [lm-eval-tasks] [lm-eval-answers] [streams] [malformed [--count N] [--seed S]]`: the official
// clients, unchanged, against `stagecraft serve`. They are installed into a folder of their own, never as
// dependencies; a part whose packages cannot be installed says so and counts as not run.
import { spawn, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { prepare } from "../setup/environment.mjs";
import { root, runTool } from "../setup/main.mjs";
import { runAttached, StepError } from "../setup/steps.mjs";
import { installNodeClient, installPython } from "./install.mjs";

const KEY = "sk-of-the-client-tests";
const MODEL = "tiny";
const here = join(root, "tools", "clients");
const bin = join(root, "libs", "cli", "bin", "stagecraft.mjs");

/** @typedef {{ url: string, folder: string, modelDir: string }} World */
/** @typedef {(world: World) => Promise<number>} Part */

/** @type {Record<string, Part>} */
const PARTS = {
  async node({ url }) {
    const { openai, version } = installNodeClient();
    process.stderr.write(`openai ${version} for Node ${process.versions.node}\n`);
    return run(process.execPath, [join(here, "suite.mjs"), openai, url, KEY, MODEL]);
  },
  async python({ url }) {
    const python = installPython("openai", ["openai"], []);
    return run(python, [join(here, "suite.py"), url, KEY, MODEL]);
  },
  async "lm-eval"({ url, folder, modelDir }) {
    return run(lmEval(), [join(here, "lm_eval_suite.py"), url, KEY, MODEL, modelDir, folder]);
  },
  /** Its own tasks beside `stagecraft evaluate --tasks` on the same model and items. */
  async "lm-eval-tasks"({ url, folder, modelDir }) {
    const [program, items, out] = [
      join(here, "lm_eval_tasks.py"),
      join(folder, "items"),
      join(folder, "tasks"),
    ];
    const python = lmEval();
    const made = await run(python, [program, "make", items]);
    if (made !== 0) return made;
    const withShots = ["hellaswag", "arc", "mmlu", "gsm8k"];
    for (const [names, shots] of /** @type {const} */ ([
      [withShots, "5"],
      [["ifeval-like"], "0"],
    ])) {
      const tasks = names.flatMap((name) => ["--tasks", `${name}=${join(items, name)}`]);
      const how = ["--shots", shots, "--task-tokens", "12", "--run", join(out, shots)];
      const args = ["evaluate", "--models", modelDir, ...tasks, ...how];
      const measured = await run(process.execPath, [bin, ...args]);
      if (measured !== 0) return measured;
    }
    return run(python, [program, "compare", items, out, url, KEY, MODEL, modelDir]);
  },
  /** How answers are judged, on answers made to be seen differently by two languages. */
  async "lm-eval-answers"({ folder }) {
    const file = join(folder, "answers.jsonl");
    const python = lmEval();
    const out = openSync(file, "w");
    const cases = [join(here, "answer-cases.mjs"), "20000", "1"];
    const made = spawnSync(process.execPath, cases, { stdio: ["ignore", out, "inherit"] });
    closeSync(out);
    if (made.status !== 0) return made.status ?? 1;
    return run(python, [join(here, "lm_eval_answers.py"), file]);
  },
};

/** lm-eval without what its metrics and tables for other tasks need: not every index has it. */
function lmEval() {
  const needs = ["datasets", "numpy", "jinja2", "scikit-learn", "tqdm", "requests", "aiohttp"];
  const more = ["tenacity", "dill", "more_itertools", "sacrebleu", "transformers", "tiktoken"];
  const all = [...needs, ...more, "nltk", "immutabledict"];
  return installPython("lm_eval, nltk, immutabledict", all, ["lm-eval"]);
}

/** Parts that are tests of `npm test`, with greater numbers. */
const OF_VITEST = ["streams", "malformed"];

await runTool("Clients of the API", async (steps) => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      count: { type: "string", default: "10000" },
      seed: { type: "string", default: "1" },
    },
  });
  await prepare(root, steps);
  const wanted = positionals.length > 0 ? positionals : [...Object.keys(PARTS), ...OF_VITEST];
  const results = new Map();
  const parts = wanted.filter((name) => !OF_VITEST.includes(name));
  const unknown = parts.filter((name) => !(name in PARTS));
  if (unknown.length > 0)
    throw new StepError(
      `no part ${unknown.join(", ")}; there are ${[...Object.keys(PARTS), ...OF_VITEST].join(", ")}`,
    );
  if (parts.length > 0) {
    await withServer(async (world) => {
      for (const name of parts) {
        const part = /** @type {Part} */ (PARTS[name]);
        results.set(name, await outcomeOf(() => part(world)));
      }
    });
  }
  if (wanted.includes("streams")) results.set("streams", await outcomeOf(streams));
  if (wanted.includes("malformed"))
    results.set("malformed", await outcomeOf(() => malformed(values)));
  for (const [name, outcome] of results) process.stdout.write(`${name}: ${outcome}\n`);
  return [...results.values()].every((outcome) => outcome === "passed") ? 0 : 1;
});

/** @param {() => Promise<number>} part */
async function outcomeOf(part) {
  try {
    return (await part()) === 0 ? "passed" : "failed";
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    return `not run: ${error.message}`;
  }
}

/**
 * The same generator and checks as in `npm test`, many more of them.
 * @param {{ count: string, seed: string }} options
 */
function malformed({ count, seed }) {
  return vitest("malformed", { MALFORMED_COUNT: count, MALFORMED_SEED: seed });
}

/** A thousand streams at the same time. */
function streams() {
  return vitest("many-streams", { MANY_STREAMS: "1000" });
}

/**
 * @param {string} name
 * @param {Record<string, string>} variables
 */
function vitest(name, variables) {
  const program = join(root, "node_modules", "vitest", "vitest.mjs");
  const file = `services/gateway/test/openai/${name}.test.ts`;
  const args = [program, "run", file, "--testTimeout", String(30 * 60_000)];
  return run(process.execPath, args, { env: { ...process.env, ...variables } });
}

/**
 * A model trained for some steps on a small text, served with two places, so that places count.
 * @param {(world: World) => Promise<void>} body
 */
async function withServer(body) {
  const folder = mkdtempSync(join(tmpdir(), "stagecraft-clients-"));
  try {
    const corpus = join(folder, "corpus.txt");
    const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqrstuvwxyz é ,.:?!#+=()[]\n";
    const text = "The fox eats fish. The owl sings at night. Where is it? 0123456789\n";
    writeFileSync(corpus, letters + text.repeat(600));
    const sizes = ["--num-layers", "1", "--num-heads", "2", "--hidden-size", "32"];
    const how = ["--tokenizer-kind", "chars", "--context-length", "1024", "--batch-size", "2"];
    const run_ = ["pretrain", "--corpus", corpus, "--run", join(folder, "run"), "--steps", "20"];
    const code = await run(process.execPath, [
      bin,
      ...run_,
      ...sizes,
      ...how,
      "--batching",
      "random-window",
    ]);
    if (code !== 0) throw new Error("the model for the clients could not be trained");
    const modelDir = join(folder, "run", "model");
    const flags = ["--name", MODEL, "--port", "0", "--api-key", KEY, "--max-active", "2", "--json"];
    const server = spawn(process.execPath, [bin, "serve", modelDir, ...flags], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = new Promise((resolve) => server.once("close", resolve));
    try {
      await body({ url: await urlOf(server), folder, modelDir });
    } finally {
      server.kill("SIGINT");
      await ended;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {import("node:child_process").ChildProcess} server @returns {Promise<string>} */
function urlOf(server) {
  return new Promise((resolve, reject) => {
    let text = "";
    server.stdout?.setEncoding("utf8").on("data", (part) => {
      text += part;
      if (text.includes("\n")) resolve(JSON.parse(text.slice(0, text.indexOf("\n"))).url);
    });
    server.once("close", () => reject(new Error("serve ended before it served")));
  });
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {object} [options]
 */
function run(command, args, options = {}) {
  return runAttached([command, ...args], { cwd: root, ...options });
}
