import { StagecraftError, type JsonObject } from "@stagecraft/core";
import type { ModelConfig } from "./config.js";
import type { Family } from "./families/family.js";
import { ARCHITECTURES, findFamily, familyOf } from "./families/index.js";
import { createHfReader, isObject, noteOf } from "./hf-reader.js";
import { torchName, type ModelDtype } from "./model-dtype.js";
import type { Head } from "./names.js";
import { validateModelConfig } from "./preset.js";

export interface HfConfigOptions {
  /** Default: lm alone. */
  heads?: readonly Head[];
  /** Facts to keep with the model (score mean and std, training step, …), under `stagecraft`. */
  extra?: JsonObject;
  /** Ids of bos, eos and pad; null where the tokenizer has none. */
  specials?: SpecialIds;
  /** Type of the weights in the file; default f32. */
  dtype?: ModelDtype;
}

export interface SpecialIds {
  readonly bos: number | null;
  /** One, or all that end an answer. */
  readonly eos: number | number[] | null;
  readonly pad: number | null;
}

/** The config.json of transformers' class for the model, with our notes under `stagecraft`. */
export function toHfConfig(
  config: ModelConfig,
  { heads = ["lm"], extra = {}, specials = NO_SPECIALS, dtype = "f32" }: HfConfigOptions = {},
): JsonObject {
  const { classes, toHf } = familyOf(config);
  return {
    architectures: [heads.includes("lm") ? classes.lm : classes.score],
    model_type: config.architecture,
    ...toHf(config),
    vocab_size: config.vocabSize,
    tie_word_embeddings: config.tieEmbeddings,
    ...(heads.includes("lm") ? {} : { id2label: { "0": "SCORE" }, label2id: { SCORE: 0 } }),
    initializer_range: 0.02,
    use_cache: true,
    dtype: torchName(dtype),
    torch_dtype: torchName(dtype), // transformers 4
    bos_token_id: specials.bos,
    eos_token_id: specials.eos,
    pad_token_id: specials.pad,
    stagecraft: { ...extra, heads: [...heads], bias: config.bias },
  };
}

/**
 * The model that a config.json of transformers describes. Throws `invalid_argument` for missing
 * fields and `unimplemented` for anything that would compute something else than we do (another
 * model type, activation or rope scaling), each named. `source` is the file, for messages.
 */
export function fromHfConfig(hf: JsonObject, source = "config.json"): ModelConfig {
  const architecture = String(hf["model_type"]);
  const family = findFamily({ architecture });
  if (!family) {
    throw new StagecraftError(
      "unimplemented",
      `${source}: model_type ${JSON.stringify(hf["model_type"]) ?? "is missing"}; ${ARCHITECTURES.join(", ")} can be loaded`,
    );
  }
  refuseUnsupported(hf, family, source);
  const reader = createHfReader(hf, source);
  const vocabSize = reader.number("vocab_size");
  return validateModelConfig({ architecture, vocabSize, ...family.fromHf(reader) });
}

/** The heads that a config.json promises: our own note, else what the class name implies. */
export function headsOfHfConfig(hf: JsonObject): Head[] {
  const noted = noteOf(hf)["heads"];
  if (Array.isArray(noted)) return noted as Head[];
  const names = Array.isArray(hf["architectures"]) ? hf["architectures"] : [];
  return names.some((name) => String(name).endsWith("ForSequenceClassification"))
    ? ["score"]
    : ["lm"];
}

/** What `extra` held when the model was saved; empty for foreign models. */
export function extraOfHfConfig(hf: JsonObject): JsonObject {
  const { heads: _heads, bias: _bias, ...extra } = noteOf(hf);
  return extra;
}

const NO_SPECIALS: SpecialIds = { bos: null, eos: null, pad: null };

function refuseUnsupported(hf: JsonObject, family: Family, source: string): void {
  const problems = [...family.unsupported(hf), ...labelProblems(hf)];
  if (hf["quantization_config"] != null) problems.push("quantization_config: quantized weights");
  if (problems.length === 0) return;
  throw new StagecraftError("unimplemented", `${source}: not supported: ${problems.join("; ")}`, {
    details: { file: source, problems },
  });
}

/** A score head has one row; a classifier's config that says nothing of labels means two. */
function labelProblems(hf: JsonObject): string[] {
  if (!headsOfHfConfig(hf).includes("score") || noteOf(hf)["heads"] !== undefined) return [];
  const labels = hf["id2label"];
  const listed = isObject(labels) ? Object.keys(labels).length : 2;
  const count = typeof hf["num_labels"] === "number" ? hf["num_labels"] : listed;
  if (count === 1) return [];
  return [`a classifier with ${count} labels (a reward model has one: num_labels 1)`];
}
