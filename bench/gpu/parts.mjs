// What is measured, part by part. Each returns plain figures; one that throws is written down as failed.
import { openPjrt } from "@stagecraft/tensor-xla";
import { memoryReport, numDevices, tf } from "@stagecraft/tensor";
import { createGenerationEngine, createModel, presetConfig } from "@stagecraft/model";
import golden from "./golden.json" with { type: "json" };
import { LeftOut } from "./run-parts.mjs";
import { GOLDEN } from "./shapes.mjs";
import { createTraining, stepFlops } from "./training.mjs";

/** So closely losses are to agree with the native engine's, by the type of the products' factors. */
const LOSS_TOLERANCES = { f32: 1e-4, bf16: 1e-2 };
const NEW_TOKENS = 64;

/** @param {number[]} numbers */
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** The plugin, and one product of it. @param {{ plugin: string }} about */
export function open({ plugin }) {
  const client = openPjrt(plugin, { createOptions: {} });
  const [first] = client.devices;
  const type = "tensor<64x64xf32>";
  const program = client.compile(
    `module @m { func.func public @main(%x: ${type}) -> ${type} { %y = stablehlo.dot_general %x, %x, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (${type}, ${type}) -> ${type} return %y : ${type} } }`,
  );
  const ones = client.upload(new Float32Array(64 * 64).fill(1), "f32", [64, 64]);
  const [product] = program.execute([ones]);
  const isRight = product.readSync().every((value) => value === 64);
  client.close();
  if (!isRight) throw new Error("a product of two matrices of ones is wrong");
  return { platform: client.platform, version: client.version, device: first.kind };
}

/** 20 losses of one training against the native engine's. @param {"f32" | "bf16"} products */
export function losses(products) {
  const training = createTraining(GOLDEN);
  const seen = golden.losses.map(() => training.step());
  training.dispose();
  const largest = Math.max(...seen.map((loss, i) => Math.abs(loss - golden.losses[i])));
  if (!(largest <= LOSS_TOLERANCES[products])) throw new Error(`losses differ by ${largest}`);
  return { steps: seen.length, largestDifference: largest };
}

/**
 * Milliseconds of a step, compilation apart.
 * @param {{ shape: import("./training.mjs").Shape, steps: number, devices?: number }} about
 */
export function train({ shape, steps, devices = 1 }) {
  const startedMs = performance.now();
  const training = createTraining(shape, { numDevices: devices });
  training.step();
  const firstStepMs = performance.now() - startedMs;
  training.step(); // what only the first step brings (weights by upload) is over
  const times = [];
  for (let i = 0; i < steps; i++) {
    const before = performance.now();
    training.step();
    times.push(performance.now() - before);
  }
  const { numParams } = training;
  training.dispose();
  const stepMs = median(times);
  const teraflops = stepFlops(shape, numParams) / stepMs / 1e9;
  return { numParams, firstStepMs, stepMs, teraflops };
}

/**
 * A batch split over all devices: its losses against those of one device, and the time of a step.
 * @param {{ shape: import("./training.mjs").Shape, steps: number }} about
 */
export function devices({ shape, steps }) {
  const all = numDevices();
  if (all === 1)
    throw new LeftOut("the plugin has one device, which has no other to share a batch with");
  const lossesOn = (count) => {
    const training = createTraining(GOLDEN, { numDevices: count });
    const seen = Array.from({ length: 5 }, () => training.step());
    training.dispose();
    return seen;
  };
  const [one, several] = [lossesOn(1), lossesOn(all)];
  const largestDifference = Math.max(...one.map((loss, i) => Math.abs(loss - several[i])));
  if (!(largestDifference <= LOSS_TOLERANCES.bf16)) {
    throw new Error(`losses of ${all} devices differ by ${largestDifference} from those of one`);
  }
  const wide = { ...shape, batch: shape.batch * all };
  return {
    devices: all,
    largestDifference,
    batch: wide.batch,
    ...train({ shape: wide, steps, devices: all }),
  };
}

/** Tokens a second of a Llama that draws 64 tokens for so many sequences at once. */
export async function decode({ shape, sequences }) {
  const { layers, heads, width, inner, vocab } = shape;
  const sizes = { numLayers: layers, numHeads: heads, hiddenSize: width, intermediateSize: inner };
  const config = presetConfig("llama", {
    ...sizes,
    ...{ vocabSize: vocab, maxPositions: 512, tieEmbeddings: true },
  });
  const model = createModel(config, { heads: ["lm"], seed: 0 });
  const round = async (seed) => {
    const engine = createGenerationEngine(model, {
      ...{ maxSequences: sequences, maxLength: 16 + NEW_TOKENS, maxPrefillTokens: sequences * 16 },
    });
    const params = { temperature: 1, maxNewTokens: NEW_TOKENS, seed };
    const promptIds = Int32Array.from({ length: 16 }, (_, i) => i % vocab);
    for (let i = 0; i < sequences; i++) engine.add({ promptIds, params });
    await engine.step(); // the prompts
    const before = performance.now();
    while (engine.numActive > 0) await engine.step();
    const seconds = (performance.now() - before) / 1000;
    engine.close();
    return (sequences * (NEW_TOKENS - 1)) / seconds;
  };
  await round(1);
  const tokensPerSecond = median([await round(2), await round(3), await round(4)]);
  model.dispose();
  return { sequences, tokensPerSecond };
}

/** Bytes and tensors after every step must be those of the third. @param {{ steps: number }} about */
export function flat({ steps }) {
  const training = createTraining(GOLDEN);
  const seen = new Set();
  for (let i = 0; i < steps; i++) {
    training.step();
    const { usedBytes } = memoryReport();
    if (i >= 2) seen.add(`${tf.memory().numTensors} tensors, ${usedBytes} bytes`);
  }
  training.dispose();
  if (seen.size !== 1) throw new Error(`memory is not flat: ${[...seen].join("; ")}`);
  return { steps, held: [...seen][0] };
}
