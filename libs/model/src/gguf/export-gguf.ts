import { basename, dirname, join } from "node:path";
import { readModelDirectory } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";
import type { ModelConfig } from "../config.js";
import { familyOf } from "../families/index.js";
import { fromHfConfig, headsOfHfConfig } from "../hf-config.js";
import { cleanHfTensors } from "../hf-weights.js";
import { GGUF_FAMILIES, type GgufFamily } from "./gguf-families.js";
import { writeGguf, type GgufType, type GgufValue } from "./gguf-file.js";
import { ggufTensors } from "./gguf-tensors.js";
import { ggufTokenizer } from "./gguf-tokenizer.js";

export interface ExportGgufOptions {
  dtype: GgufType;
  /** llama.cpp's name of a pattern of words, in the place of the tokenizer's own. */
  pre?: string | undefined;
}

/**
 * Writes a language model and its tokenizer for llama.cpp. Throws `unimplemented` naming what llama.cpp would
 * compute otherwise.
 */
export async function exportGguf(
  directory: string,
  file: string,
  { dtype, pre }: ExportGgufOptions,
): Promise<{ numTensors: number }> {
  const { config: hf, files, tensors: stored } = await readModelDirectory(directory);
  const config = fromHfConfig(hf, join(directory, "config.json"));
  const family = GGUF_FAMILIES[config.architecture];
  const problems = problemsOf(config, family, headsOfHfConfig(hf));
  if (problems.length > 0 || !family) {
    throw new StagecraftError(
      "unimplemented",
      `${directory} cannot be a GGUF file: ${problems.join("; ")}`,
      { details: { directory, problems } },
    );
  }
  const name = basename(dirname(join(directory, "x")));
  const tokenizer = ggufTokenizer(files, { vocabSize: config.vocabSize, pre, origin: directory });
  const metadata = new Map([...modelMetadata(config, family, { name, dtype }), ...tokenizer]);
  const tensors = ggufTensors(cleanHfTensors(config, stored), { config, family, dtype });
  await writeGguf(file, { metadata, tensors });
  return { numTensors: tensors.size };
}

function problemsOf(
  config: ModelConfig,
  family: GgufFamily | undefined,
  heads: readonly string[],
): string[] {
  if (!family) return [`models of type ${config.architecture} are not written`];
  const scaling = config.ropeScaling?.rope_type ?? "default";
  return [
    ...(heads.join() === "lm" ? [] : [`heads ${heads.join(", ")} (a language model has lm alone)`]),
    ...(["default", "linear", "llama3", "dynamic"].includes(scaling)
      ? []
      : [`rotary angles of type ${scaling}`]),
    ...(family.problems?.(config) ?? []),
  ];
}

const FILE_TYPES: Readonly<Record<GgufType, number>> = { f32: 0, f16: 1, q8_0: 7, bf16: 32 };

function modelMetadata(
  config: ModelConfig,
  family: GgufFamily,
  { name, dtype }: { name: string; dtype: GgufType },
): Map<string, GgufValue> {
  const { architecture } = family;
  const isRms = familyOf(config).block.norm === "rms";
  const epsilon = isRms ? "layer_norm_rms_epsilon" : "layer_norm_epsilon";
  const own: Record<string, GgufValue> = {
    context_length: { u32: config.maxPositions },
    embedding_length: { u32: config.hiddenSize },
    block_count: { u32: config.numLayers },
    feed_forward_length: { u32: config.intermediateSize },
    "attention.head_count": { u32: config.numHeads },
    "attention.head_count_kv": { u32: config.numKvHeads },
    "attention.key_length": { u32: config.headSize },
    "attention.value_length": { u32: config.headSize },
    [`attention.${epsilon}`]: { f32: config.normEps },
    vocab_size: { u32: config.vocabSize },
    ...(familyOf(config).block.rotary ? ropeMetadata(config) : {}),
    ...family.metadata?.(config),
  };
  return new Map<string, GgufValue>([
    ["general.architecture", architecture],
    ["general.name", name],
    ["general.file_type", { u32: FILE_TYPES[dtype] }],
    ["general.quantization_version", { u32: 2 }],
    ...Object.entries(own).map(([key, value]) => [`${architecture}.${key}`, value] as const),
  ]);
}

function ropeMetadata({
  ropeTheta,
  ropeScaling,
  headSize,
}: ModelConfig): Record<string, GgufValue> {
  const factor = ropeScaling?.["factor"];
  const isLinear = ropeScaling?.rope_type === "linear" && typeof factor === "number";
  return {
    "rope.freq_base": { f32: ropeTheta },
    "rope.dimension_count": { u32: headSize },
    ...(isLinear && { "rope.scaling.type": "linear", "rope.scaling.factor": { f32: factor } }),
  };
}
