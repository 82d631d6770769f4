// `node tools/xla/check-programs.mjs`: records training steps for one device and for two, and attention by cuDNN, and has
// JAX check them (check_programs.py). PYTHON names a Python with jax and jaxlib; part of `npm run test:xla`.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createRandom, StagecraftError } from "@stagecraft/core";
import { lmLoss, splitRows } from "@stagecraft/learn";
import { createModel, presetConfig } from "@stagecraft/model";
import { accumulateGradients, gradientStep, optimizerFor, takeLoss } from "@stagecraft/runs";
import { tf } from "@stagecraft/tensor";
import { createRecordingClient } from "@stagecraft/testing";
import { useEngine } from "../../libs/tensor/dist/engines/current.js";
import { startOn } from "../../libs/tensor/dist/engines/xla/start.js";
import { findPython } from "../tensorflow/requirements.mjs";
import { missingJax } from "./jax.mjs";

const root = join(import.meta.dirname, "..", "..");
const OUT = join(root, ".stagecraft", "xla", "programs");
const VOCAB = 12;

/** @type {Parameters<typeof optimizerFor>[1]} */
const ADAMW = {
  ...{ optimizer: "adamw", beta1: 0.9, beta2: 0.99, adamEps: 1e-8 },
  ...{ momentum: 0, weightDecay: 0.1, clipNorm: 1 },
};

/** Five rows, of which the devices get three and two and one of padding; documents and targets of uneven number. */
function batch() {
  const random = createRandom("check-programs");
  const [batchSize, length] = [5, 8];
  const size = batchSize * length;
  const ids = Int32Array.from({ length: size }, () => random.nextInt(VOCAB));
  const segments = ids.map((_, i) => (i % 8 < 3 ? 1 : i % 8 < 6 ? 2 : Number(i < 16)));
  const positions = ids.map((_, i) => (i % 8) % 3);
  const targets = ids.map((id, i) => (segments[i] === 0 || i % 5 === 1 ? -1 : (id + 1) % VOCAB));
  const numTargets = targets.filter((target) => target >= 0).length;
  return { batchSize, length, ids, segments, positions, targets, numTargets };
}

/** @typedef {Omit<import("@stagecraft/data").TokenBatch, "numTargetBytes">} Batch */
/** @typedef {ReturnType<typeof createRecordingClient>} Client */
/** @typedef {ReturnType<typeof createModel>} Model */
/** @typedef {ReturnType<typeof accumulateGradients>} Gradients */
/** @typedef {(model: Model, gradients: Gradients) => unknown} Work */

/**
 * Records what becomes of a batch in parts: its program, and the arguments on each device.
 * @param {Client} client
 * @param {number} numParts
 * @param {Work} work
 */
async function record(client, numParts, work) {
  const sizes = { vocabSize: VOCAB, hiddenSize: 16, numLayers: 2, numHeads: 2, maxPositions: 8 };
  const model = createModel(presetConfig("llama", sizes), { heads: ["lm"], seed: 1 });
  /** @type {Parameters<typeof accumulateGradients<Batch>>[0]} */
  const task = {
    params: model.params,
    weight: ({ numTargets }) => numTargets,
    loss: (part, denominator) => lmLoss(model, part, denominator),
    split: (whole) => (numParts > 1 ? splitRows(whole, numParts) : [whole]),
  };
  const before = client.texts.length;
  await work(model, accumulateGradients(task, [batch()]));
  if (client.texts.length !== before + 1) throw new Error("a step is more than one program");
  model.dispose();
  const calls = client.calls.slice(-numParts);
  const values = client.values.slice(-numParts);
  const args = calls.map((types, device) =>
    types.map((type, i) => {
      const [, dtype, shape = ""] = /^(\w+)\[(.*)\]$/.exec(type) ?? [];
      const numbers = Array.from(values[device]?.[i] ?? [], Number);
      return { dtype, shape: shape.split(",").map(Number), values: numbers };
    }),
  );
  return { text: client.texts.at(-1), arguments: args };
}

/** @type {Work} */
function step(model, gradients) {
  const optimizer = optimizerFor(model.params, ADAMW);
  const diverged = () => new StagecraftError("aborted", "diverged");
  return gradientStep(gradients, { optimizer, learningRate: 0.1, diverged });
}

/** @type {(_: Model, gradients: Gradients) => void} */
function readGradients(_, { losses, grads }) {
  const inOrder = [...grads.values()].map((grad) => tf.mul(grad, 1)); // outputs come as they are made
  tf.dispose([...grads.values()]);
  takeLoss(losses);
  tf.dispose(inOrder);
}

/**
 * The program of attention and its gradients by cuDNN, of the sizes of cudnn_golden.py.
 * @param {Client} client
 * @param {import("../../libs/tensor/dist/engines/engine.js").Engine} engine
 */
function cudnnText(client, { ops }) {
  const backend = /** @type {{ attention: string }} */ (/** @type {unknown} */ (tf.backend()));
  backend.attention = "cudnn"; // as on a GPU that was started so
  const layout = { batchSize: 2, length: 16 };
  const before = client.texts.length;
  /** @param {tf.Tensor[]} inputs */
  const attend = (...inputs) => {
    const [q, k, v] = /** @type {[tf.Tensor2D, tf.Tensor2D, tf.Tensor2D]} */ (inputs);
    return tf.sum(ops.causalAttention(q, k, v, layout, { numHeads: 4, numKvHeads: 2 }));
  };
  tf.tidy(() => {
    const inputs = [4, 2, 2].map((heads) => tf.fill([32, heads * 8], 0.5));
    tf.grads(attend)(inputs).forEach((grad) => grad.dataSync());
  });
  if (client.texts.length !== before + 1) throw new Error("attention is more than one program");
  return client.texts.at(-1) ?? "";
}

/** Writes the programs. @returns {Promise<void>} */
async function recordAll() {
  mkdirSync(OUT, { recursive: true });
  tf.enableProdMode();
  const client = createRecordingClient({ numDevices: 2 });
  const engine = await startOn(client);
  useEngine(engine);
  for (const [name, work] of Object.entries({ step, gradients: readGradients })) {
    for (const numParts of [1, 2]) {
      const program = await record(client, numParts, work);
      writeFileSync(join(OUT, `${name}-${numParts}.json`), JSON.stringify(program));
    }
  }
  writeFileSync(join(OUT, "cudnn-attention.mlir"), cudnnText(client, engine));
}

/** @returns {Promise<number>} the exit code */
async function main() {
  const python = findPython();
  const reason = missingJax(python);
  if (reason !== undefined) {
    console.error(`cannot check the programs: ${reason}; PYTHON names another`);
    return 1;
  }
  await recordAll();
  const script = join(import.meta.dirname, "check_programs.py");
  return spawnSync(python, [script, OUT], { stdio: "inherit" }).status ?? 1;
}

process.exit(await main());
