/** adapter_config.json of PEFT's LoRA (Hu et al. 2021): what is read of it, what is refused. */
import { StagecraftError, type JsonObject, type JsonValue } from "@stagecraft/core";
import { isObject } from "../hf-reader.js";

export const ADAPTER_CONFIG = "adapter_config.json";
export const ADAPTER_WEIGHTS = "adapter_model.safetensors";

/** What an adapter does to the weights that it names. */
export interface LoraConfig {
  /** Factor on B·A of an adapter of this rank. */
  scaleOf(rank: number): number;
  /** The weights that it changes are [in, out] (GPT-2's Conv1D). */
  readonly transposed: boolean;
}

/** Fields that change what is computed, and the values with which they do not. */
const WITHOUT_EFFECT: Readonly<Record<string, readonly JsonValue[]>> = {
  ...{ peft_type: ["LORA"], bias: ["none"], use_dora: [false], lora_bias: [false] },
  ...{ use_qalora: [false], use_bdlora: [false], velora_config: [], monteclora_config: [] },
  ...{ modules_to_save: [], rank_pattern: [], alpha_pattern: [], target_parameters: [] },
  ...{ trainable_token_indices: [], layer_replication: [], alora_invocation_tokens: [] },
  ...{ arrow_config: [], lora_ga_config: [], megatron_config: [] },
  // Others change the base model itself before training (PiSSA, OLoRA, CorDA, LoftQ, …).
  init_lora_weights: [true, false, "gaussian", "orthogonal", "eva"],
};

/** Throws `unimplemented` naming every field that would compute something else than B·A added to weights. */
export function readLoraConfig(config: JsonObject, file: string): LoraConfig {
  const problems = Object.entries(WITHOUT_EFFECT).flatMap(([field, without]) => {
    const value = config[field];
    if (value == null || isEmpty(value) || without.includes(value)) return [];
    return [`${field} ${JSON.stringify(value).slice(0, 80)}`];
  });
  const { lora_alpha: alpha, use_rslora: isRooted, fan_in_fan_out: transposed } = config;
  if (problems.length > 0) {
    const text = `${file}: not supported: ${problems.join("; ")}; merge the adapter with PEFT (merge_and_unload)`;
    throw new StagecraftError("unimplemented", text, { details: { file, problems } });
  }
  if (typeof alpha !== "number" || !(alpha > 0)) {
    const got = JSON.stringify(alpha) ?? "nothing";
    throw new StagecraftError(
      "invalid_argument",
      `${file}: lora_alpha must be a number above 0, got ${got}`,
    );
  }
  return {
    scaleOf: (rank) => alpha / (isRooted === true ? Math.sqrt(rank) : rank),
    transposed: transposed === true,
  };
}

function isEmpty(value: JsonValue): boolean {
  return (Array.isArray(value) || isObject(value)) && Object.keys(value).length === 0;
}

export interface LoraDescription {
  base: string;
  rank: number;
  modules: readonly string[];
  transposed: boolean;
}

/** The adapter_config.json of an adapter of scale 1. */
export function writeLoraConfig({ base, rank, modules, transposed }: LoraDescription): JsonObject {
  return {
    base_model_name_or_path: base,
    ...{ peft_type: "LORA", task_type: "CAUSAL_LM", inference_mode: true, bias: "none" },
    ...{ r: rank, lora_alpha: rank, lora_dropout: 0, use_dora: false, use_rslora: false },
    ...{ fan_in_fan_out: transposed, init_lora_weights: true, modules_to_save: null },
    target_modules: [...modules],
  };
}
