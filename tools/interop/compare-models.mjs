// What transformers saved of models, against what one engine computes: node compare-models.mjs ROOT FOLDER ENGINE [OURS]
// writes FOLDER/problems-ENGINE.json, and into OURS the models as we write them.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadLibrary, relativeError, TOLERANCE } from "./library.mjs";

const NEW = 32;

/**
 * @param {any} library
 * @param {string} directory
 * @returns {Promise<string[]>} what differs
 */
async function compare(library, directory) {
  const { tensors } = await library.readSafetensors(join(directory, "expected.safetensors"));
  const batches = JSON.parse(readFileSync(join(directory, "batches.json"), "utf8"));
  const model = await library.loadModel(directory);
  const problems = /** @type {string[]} */ ([]);
  const same = (/** @type {string} */ name, /** @type {Float32Array} */ found) => {
    const error = relativeError(found, tensors.get(name).data);
    if (!(error <= TOLERANCE)) problems.push(`${name} differs by ${error.toExponential(1)}`);
  };
  for (const [i, rows] of batches.entries()) {
    const logits = model.logits({
      ids: Int32Array.from(rows[0]),
      batchSize: 1,
      length: rows[0].length,
    });
    same(`logits.${i}`, logits.dataSync());
    if (!tensors.has(`loss.${i}`)) continue;
    const { loss, grads } = gradientsOf(library, model, rows);
    same(`loss.${i}`, Float32Array.of(loss));
    const prefix = `grad.${i}.`;
    const wanted = [...tensors.keys()].filter((name) => name.startsWith(prefix));
    for (const name of wanted) {
      const found = grads.get(name.slice(prefix.length));
      if (found) same(name, found);
      else problems.push(`no gradient for ${name}`);
    }
  }
  const greedy = await greedyOf(library, model, batches[0][0].slice(0, 9));
  const expected = [...tensors.get("greedy").data];
  if (greedy.join() !== expected.join())
    problems.push(`greedy ${greedy.join()}, not ${expected.join()}`);
  model.dispose();
  return problems;
}

/** As large as the shards of `make_models.py`. */
const SHARD_BYTES = 20_000;

/**
 * Writes the model as it came (type, shards), and a reward model of it, for transformers to read, with what
 * they say of some ids.
 * @param {any} library
 * @param {string} directory
 * @param {string} target
 */
async function writeOurs(library, directory, target) {
  const { f32, loadModel, saveModel, writeSafetensors } = library;
  const [ids] = JSON.parse(readFileSync(join(directory, "batches.json"), "utf8"))[0];
  const batch = { ids: Int32Array.from(ids), batchSize: 1, length: ids.length };
  const entries = new Map([["ids", { dtype: "I32", shape: [ids.length], data: batch.ids }]]);
  for (const head of ["lm", "score"]) {
    const model = await loadModel(directory, { heads: [head], seed: 3 });
    const asItCame = { dtype: model.dtype, maxShardBytes: SHARD_BYTES };
    const form = head === "lm" ? asItCame : {}; // a new head has float32
    await saveModel(join(target, head), model, { tokenizerFiles: {}, ...form });
    const lastRow = Int32Array.of(ids.length - 1);
    const result = head === "lm" ? model.logits(batch) : model.scores(batch, lastRow);
    const name = head === "lm" ? "logits" : "score";
    entries.set(name, f32(result.shape, Float32Array.from(result.dataSync())));
    result.dispose();
    model.dispose();
  }
  await writeSafetensors(join(target, "expected.safetensors"), entries);
}

/**
 * Mean negative log-probability of every next token, and its gradients under transformers' names.
 * @param {any} library
 * @param {any} model
 * @param {number[][]} rows
 */
function gradientsOf(library, model, rows) {
  const { tf, f32, valueAndGrads, toHfTensors } = library;
  const length = rows[0]?.length ?? 0;
  const ids = Int32Array.from(rows.flat());
  const targets = ids.map((_, i) => (i % length === length - 1 ? -1 : (ids[i + 1] ?? -1)));
  const count = targets.filter((id) => id >= 0).length;
  const batch = { ids, batchSize: rows.length, length, targets };
  const { value, grads } = valueAndGrads(model.params, () =>
    tf.tidy(() => tf.div(tf.neg(tf.sum(model.logProbs(batch).logProbs)), count)),
  );
  const loss = value.dataSync()[0];
  const own = new Map();
  const zeros = new Map();
  for (const [name, gradient] of grads) {
    own.set(name, f32(gradient.shape, Float32Array.from(gradient.dataSync())));
    zeros.set(name, f32(gradient.shape, new Float32Array(gradient.size)));
  }
  tf.dispose([value, ...grads.values()]);
  // Names and forms of transformers; what a conversion adds to weights, it does not add to gradients.
  const shifts = toHfTensors(model.config, zeros);
  const converted = new Map();
  for (const [name, { data }] of toHfTensors(model.config, own)) {
    const shift = shifts.get(name).data;
    const key = name === "embed_out.weight" ? "lm_head.weight" : name;
    converted.set(
      key,
      data.map((/** @type {number} */ v, /** @type {number} */ i) => v - shift[i]),
    );
  }
  return { loss, grads: converted };
}

/**
 * @param {any} library
 * @param {any} model
 * @param {number[]} prompt
 */
async function greedyOf(library, model, prompt) {
  const decoder = library.createDecoder(model, { maxSequences: 1, maxLength: prompt.length + NEW });
  const drawn = [];
  let next = prompt;
  while (drawn.length < NEW) {
    const logits = await decoder.append([{ slot: 0, ids: Int32Array.from(next) }]);
    next = [logits.indexOf(Math.max(...logits))];
    drawn.push(...next);
  }
  decoder.dispose();
  return drawn;
}

const [root = "", folder = "", engine = "", ours = ""] = process.argv.slice(2);
const library = await loadLibrary(root, engine);
/** @type {Record<string, string[]>} */
const problems = {};
for (const { name } of JSON.parse(readFileSync(join(folder, "cases.json"), "utf8"))) {
  problems[name] = await compare(library, join(folder, name)).catch((thrown) => [
    thrown instanceof Error ? String(thrown.stack) : String(thrown),
  ]);
  if (ours) await writeOurs(library, join(folder, name), join(ours, name));
}
writeFileSync(join(folder, `problems-${engine}.json`), JSON.stringify(problems));
