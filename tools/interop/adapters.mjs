// Adapters that PEFT saved, added here; adapters written here, added by PEFT: the logits are the same.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadLibrary, relativeError, TOLERANCE } from "./library.mjs";
import { pythonWith, run } from "./python.mjs";

/**
 * @param {string} root
 * @returns {Promise<{ name: string, problem?: string }[]>}
 */
export async function checkAdapters(root) {
  const folder = mkdtempSync(join(tmpdir(), "interop-adapters-"));
  const python = pythonWith(root, ["torch", "transformers", "safetensors", "peft"]);
  const script = join(root, "tools", "interop", "adapters.py");
  try {
    run(python, [script, "make", folder]);
    const library = await loadLibrary(root);
    const names = JSON.parse(readFileSync(join(folder, "cases.json"), "utf8"));
    const results = [];
    for (const name of names) {
      const problem = await readTheirs(library, join(folder, name));
      results.push({ name: `adapter of PEFT ${name}`, ...(problem && { problem }) });
    }
    run(python, [script, "check", folder]);
    const found = JSON.parse(readFileSync(join(folder, "problems.json"), "utf8"));
    for (const [name, problem] of Object.entries(found)) {
      results.push({ name: `adapter for PEFT ${name}`, ...(problem && { problem }) });
    }
    return results;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Compares the logits, and writes the adapter anew as ours.
 * @param {any} library
 * @param {string} directory
 * @returns {Promise<string>} what is wrong
 */
async function readTheirs(library, directory) {
  const { loadModel, saveModel, saveAdapter, readSafetensors } = library;
  const { tensors } = await readSafetensors(join(directory, "expected.safetensors"));
  const base = join(directory, "base");
  const model = await loadModel(base, { adapter: join(directory, "adapter") });
  const ids = Int32Array.from(tensors.get("ids").data);
  const logits = model.logits({ ids, batchSize: 1, length: ids.length });
  const error = relativeError(logits.dataSync(), tensors.get("logits").data);
  await saveModel(join(directory, "model"), model, { tokenizerFiles: {} });
  await saveAdapter(join(directory, "ours"), {
    ...{ base, model: join(directory, "model"), maxRank: 16 },
  });
  logits.dispose();
  model.dispose();
  return error <= TOLERANCE ? "" : `  logits differ by ${error.toExponential(1)}`;
}
