// Models of every family that transformers saved: logits, greedy text, loss and gradients are the same here, on
// both engines, and what each writes is the same there.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pythonWith, run } from "./python.mjs";

const given = process.env["INTEROP_ENGINE"]; // another one, such as xla
const ENGINES = given ? [given] : ["native", "cpu"];

/**
 * @param {string} root
 * @returns {{ name: string, problem?: string }[]}
 */
export function checkModels(root) {
  return withModels(root, "make_models.py", (made) =>
    ENGINES.flatMap((engine) => {
      const ours = mkdtempSync(join(tmpdir(), "interop-ours-"));
      try {
        const read = results(
          `model of transformers on ${engine}:`,
          compare(root, made, { engine, ours }),
        );
        run(made.python, [join(root, "tools", "interop", "check_models.py"), ours]);
        return [...read, ...results(`model written on ${engine}:`, join(ours, "problems.json"))];
      } finally {
        rmSync(ours, { recursive: true, force: true });
      }
    }),
  );
}

/**
 * Models beside the config.json of public repositories.
 * @param {string} root
 */
export function checkConfigs(root) {
  return withModels(root, "make_configs.py", (made) =>
    results("config.json of", compare(root, made, { engine: ENGINES[0] ?? "native" })),
  );
}

/** @typedef {{ python: string, folder: string }} Made */

/**
 * @template T
 * @param {string} root
 * @param {string} script that makes models in a folder
 * @param {(made: Made) => T} work
 */
function withModels(root, script, work) {
  const folder = mkdtempSync(join(tmpdir(), "interop-models-"));
  try {
    const python = pythonWith(root, ["torch", "transformers", "safetensors"]);
    run(python, [join(root, "tools", "interop", script), folder]);
    return work({ python, folder });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * The file that says what differs.
 * @param {string} root
 * @param {Made} made
 * @param {{ engine: string, ours?: string }} how
 */
function compare(root, { folder }, { engine, ours = "" }) {
  const script = join(root, "tools", "interop", "compare-models.mjs");
  run(process.execPath, [script, root, folder, engine, ours]);
  return join(folder, `problems-${engine}.json`);
}

/**
 * @param {string} what
 * @param {string} file
 */
function results(what, file) {
  return Object.entries(JSON.parse(readFileSync(file, "utf8"))).map(([name, problems]) => ({
    name: `${what} ${name}`,
    ...(problems.length > 0 && { problem: `  ${problems.join("\n  ")}` }),
  }));
}
