import { basename, resolve } from "node:path";
import { StagecraftError } from "@stagecraft/core";
import type { ModelConfig } from "../config.js";
import { familyOf } from "../families/index.js";
import { readWholeModel } from "../model-files.js";
import { GGUF_FAMILIES, type GgufFamily } from "./gguf-families.js";
import { writeGguf, type GgufTensor, type GgufType, type GgufValue } from "./gguf-file.js";
import { ropeMetadata, ropeProblems } from "./gguf-rope.js";
import { ggufTensors } from "./gguf-tensors.js";
import { ggufTokenizer } from "./gguf-tokenizer.js";

export interface ExportGgufOptions {
  dtype: GgufType;
  /** llama.cpp's name of a pattern of words, in the place of the tokenizer's own. */
  pre?: string | undefined;
  /** What the file calls the model; default its directory's name. */
  name?: string;
}

export interface ExportedGguf {
  readonly numTensors: number;
  /** How many tensors have each type: some keep another than the one asked for. */
  readonly types: Readonly<Partial<Record<GgufType, number>>>;
  /** What differs in llama.cpp, each a sentence. */
  readonly notes: readonly string[];
}

/**
 * Writes a language model and its tokenizer for llama.cpp. Throws as `loadModel` does, `unimplemented` naming
 * what llama.cpp would compute otherwise, and `failed_precondition` for values that the type cannot hold.
 */
export async function exportGguf(
  directory: string,
  file: string,
  { dtype, pre, name = basename(resolve(directory)) }: ExportGgufOptions,
): Promise<ExportedGguf> {
  const { config, heads, files, tensors: weights } = await readWholeModel(directory);
  const family = requireFamily(directory, config, heads);
  const { vocabSize } = config;
  const tokenizer = await ggufTokenizer(files, { vocabSize, pre, origin: directory });
  const own = modelMetadata(config, family, { name: plainName(name), dtype });
  const tensors = ggufTensors(weights(), { config, family, dtype });
  await writeGguf(file, { metadata: new Map([...own, ...tokenizer.metadata]), tensors });
  return { numTensors: tensors.size, types: countTypes(tensors), notes: tokenizer.notes };
}

/** llama.cpp takes spaces away after special tokens of models that are named so (src/llama-vocab.cpp). */
const plainName = (name: string) => name.replace(/(phi)-?(?=3)|(modern)-(?=bert)/gi, "$1$2 ");

function countTypes(tensors: ReadonlyMap<string, GgufTensor>): ExportedGguf["types"] {
  const counts: Partial<Record<GgufType, number>> = {};
  for (const { type } of tensors.values()) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}

function requireFamily(
  directory: string,
  config: ModelConfig,
  heads: readonly string[],
): GgufFamily {
  const family = GGUF_FAMILIES[config.architecture];
  const problems = family
    ? [
        ...(heads.join() === "lm" ? [] : [`heads ${heads.join(", ")} (a language model has lm)`]),
        ...ropeProblems(config, family),
        ...(family.problems?.(config) ?? []),
      ]
    : [`models of type ${config.architecture} are not written`];
  if (family && problems.length === 0) return family;
  throw new StagecraftError(
    "unimplemented",
    `${directory} cannot be a GGUF file: ${problems.join("; ")}`,
    { details: { directory, problems } },
  );
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
