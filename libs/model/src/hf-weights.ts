import { StagecraftError } from "@stagecraft/core";
import type { TensorEntry, TensorMap } from "@stagecraft/checkpoint";
import type { ModelConfig } from "./config.js";
import { familyOf } from "./families/index.js";
import { dtypeOf, type ModelDtype } from "./model-dtype.js";
import { HEAD_NAMES, isHeadName } from "./names.js";

/** Weights as transformers saves them. */
export function toHfTensors(config: ModelConfig, tensors: TensorMap): TensorMap {
  const { convert } = familyOf(config);
  return convert ? convert.toHf(config, tensors) : tensors;
}

/** Weights in our layout, and the type they were stored in. */
export interface ConvertedWeights {
  readonly tensors: TensorMap;
  readonly dtype: ModelDtype;
}

/**
 * Our layout from that of transformers, foreign quirks removed: the missing prefix of bare base
 * models, attention-mask and rotary buffers, an lm_head that repeats tied embeddings. What is
 * missing or misshapen stays so, for the strict check to report. Takes the arrays over: they become
 * those of the result, and are put in another order in their place, so that nothing is held twice.
 */
export function fromHfTensors(config: ModelConfig, tensors: TensorMap): ConvertedWeights {
  const { convert } = familyOf(config);
  const cleaned = cleanHfTensors(config, tensors);
  const dtype = dtypeOf(cleaned);
  return { tensors: convert ? convert.fromHf(config, cleaned) : cleaned, dtype };
}

const BUFFER = /(\.attn\.(bias|masked_bias)|\.rotary_emb\.inv_freq)$/;

/** Weights as transformers saves them today: with their prefix, without buffers and repeated matrices. */
function cleanHfTensors(config: ModelConfig, tensors: TensorMap): Map<string, TensorEntry> {
  const { embedding } = familyOf(config).names;
  const prefix = embedding.slice(0, embedding.indexOf(".") + 1);
  const bare = tensors.has(embedding.slice(prefix.length));
  const cleaned = new Map<string, TensorEntry>();
  for (const [name, entry] of tensors) {
    if (BUFFER.test(name)) continue;
    if (config.tieEmbeddings && name === HEAD_NAMES.lm.weight) {
      requireSame(entry, tensors.get(bare ? embedding.slice(prefix.length) : embedding));
      continue;
    }
    cleaned.set(bare && !isHeadName(name) ? prefix + name : name, entry);
  }
  return cleaned;
}

/** Whether what a file says twice is one thing; which of two it means is not for us to guess. */
function requireSame(lmHead: TensorEntry, embedding: TensorEntry | undefined): void {
  const values = embedding?.data;
  const same =
    values?.length === lmHead.data.length && values.every((value, i) => value === lmHead.data[i]);
  if (same || values === undefined) return;
  throw new StagecraftError(
    "failed_precondition",
    "config.json ties the output projection to the embeddings (tie_word_embeddings), but " +
      "lm_head.weight is another matrix; set tie_word_embeddings to false to use it, or delete lm_head.weight",
  );
}
