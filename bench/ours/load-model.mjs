// A model of about 1 GB in float32, written and read by two processes:
//   load-model.mjs write DIR FAMILY DTYPE   writes random weights (each tensor the same values again)
//   load-model.mjs read DIR                 reads them as every stage does; prints one line of JSON: bytes of
//                                           the weights in float32 and the process's peak resident bytes
import { readFileSync } from "node:fs";
import { writeModelDirectory } from "@stagecraft/checkpoint";
import { loadModel, presetConfig, toHfConfig } from "@stagecraft/model";
import { initEngine } from "@stagecraft/tensor";

const [D, F, V, LAYERS, POSITIONS] = [1024, 3072, 32_000, 16, 256];
const SIZES = {
  ...{ vocabSize: V, hiddenSize: D, numLayers: LAYERS, numHeads: 16, maxPositions: POSITIONS },
  ...{ intermediateSize: F, tieEmbeddings: false },
};

/** Shapes by transformers' names. */
const SHAPES = {
  phi3: {
    whole: { "model.embed_tokens": [V, D], "model.norm": [D], lm_head: [V, D] },
    layer: (i) => ({
      [`model.layers.${i}.input_layernorm`]: [D],
      [`model.layers.${i}.self_attn.qkv_proj`]: [3 * D, D],
      [`model.layers.${i}.self_attn.o_proj`]: [D, D],
      [`model.layers.${i}.post_attention_layernorm`]: [D],
      [`model.layers.${i}.mlp.gate_up_proj`]: [2 * F, D],
      [`model.layers.${i}.mlp.down_proj`]: [D, F],
    }),
  },
  gpt2: {
    whole: {
      ...{ "transformer.wte": [V, D], "transformer.wpe": [POSITIONS, D], lm_head: [V, D] },
      "transformer.ln_f": [D],
    },
    layer: (i) => ({
      [`transformer.h.${i}.ln_1`]: [D],
      [`transformer.h.${i}.attn.c_attn`]: [D, 3 * D],
      [`transformer.h.${i}.attn.c_proj`]: [D, D],
      [`transformer.h.${i}.ln_2`]: [D],
      [`transformer.h.${i}.mlp.c_fc`]: [D, F],
      [`transformer.h.${i}.mlp.c_proj`]: [F, D],
    }),
  },
};

/** Every tensor is the beginning of one array of random values. */
function tensorsOf(family, dtype) {
  const random = Float32Array.from({ length: V * D }, () => Math.random() - 0.5);
  const { whole, layer } = SHAPES[family];
  const layers = Array.from({ length: LAYERS }, (_, i) => layer(i));
  const tensors = new Map();
  for (const [name, shape] of Object.entries(Object.assign({}, whole, ...layers))) {
    const size = shape.reduce((product, length) => product * length, 1);
    tensors.set(`${name}.weight`, { dtype, shape, data: random.subarray(0, size) });
    const hasBias = family === "gpt2" && !/wte|wpe|lm_head/.test(name);
    const width = shape.at(-1);
    if (hasBias) {
      tensors.set(`${name}.bias`, { dtype, shape: [width], data: random.subarray(0, width) });
    }
  }
  return tensors;
}

const [what, dir, family, dtype] = process.argv.slice(2);
if (what === "write") {
  const config = toHfConfig(presetConfig(family, SIZES));
  await writeModelDirectory(dir, { config, tensors: tensorsOf(family, dtype), files: {} });
} else {
  await initEngine({});
  const model = await loadModel(dir);
  const peak = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  console.log(JSON.stringify({ weightBytes: 4 * model.numParams, peakBytes: Number(peak) * 1024 }));
}
