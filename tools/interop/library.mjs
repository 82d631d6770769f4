// The built packages, on one engine, and how far values may be apart.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Of values' largest magnitude; float32 sums in another order. */
export const TOLERANCE = 1e-4;

/**
 * @param {string} root
 * @param {string} engine native or cpu; auto takes the best that is there
 */
export async function loadLibrary(root, engine = "auto") {
  const load = (/** @type {string} */ path) => import(pathToFileURL(join(root, "libs", path)).href);
  const [checkpoint, model, weights, decoder, tensor, tokenizer] = await Promise.all([
    load("checkpoint/dist/index.js"),
    load("model/dist/index.js"),
    load("model/dist/hf-weights.js"),
    load("model/dist/generation/decoder.js"),
    load("tensor/dist/index.js"),
    load("tokenizer/dist/index.js"),
  ]);
  await tensor.initEngine({ engine });
  return { ...tokenizer, ...tensor, ...checkpoint, ...model, ...weights, ...decoder };
}

/**
 * @param {Float32Array} found
 * @param {Float32Array} expected
 */
export function relativeError(found, expected) {
  if (found.length !== expected.length) return Infinity;
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
  let worst = 0;
  found.forEach((value, i) => {
    const error = Math.abs(value - (expected[i] ?? NaN)) / scale;
    if (!(error <= worst)) worst = error;
  });
  return worst;
}
