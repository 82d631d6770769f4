import type { JsonObject } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import { tinyConfig } from "../../test/tiny.js";
import { fromHfConfig, toHfConfig } from "../hf-config.js";
import { ARCHITECTURES, type Architecture } from "./index.js";

const SCALED = { rope_type: "linear", factor: 2, rope_theta: 10_000 };

/** What would compute something else than we do: the family, what its config.json says, what names it. */
const REFUSED: readonly (readonly [Architecture, JsonObject, string])[] = [
  ["llama", { model_type: "gemma3" }, 'model_type "gemma3"'],
  ["llama", { model_type: "mixtral" }, 'model_type "mixtral"'],
  ["llama", { hidden_act: "gelu" }, 'hidden_act "gelu"'],
  ["llama", { rope_scaling: { type: "longrope" } }, "longrope"],
  ["llama", { rope_parameters: { rope_type: "proportional" } }, "proportional"],
  ["llama", { partial_rotary_factor: 0.5 }, "partial_rotary_factor 0.5"],
  ["llama", { rope_parameters: { partial_rotary_factor: 0.5 } }, "partial_rotary_factor 0.5"],
  [
    "llama",
    { rope_scaling: { type: "dynamic", factor: 2, original_max_position_embeddings: 8 } },
    "dynamic rope scaling with original_max_position_embeddings",
  ],
  ["llama", { layer_types: ["sliding_attention", "full_attention"] }, "layer_types"],
  ["llama", { quantization_config: { bits: 4 } }, "quantization_config"],
  [
    "llama",
    {
      ...{ architectures: ["LlamaForSequenceClassification"], stagecraft: {} },
      id2label: { "0": "a", "1": "b", "2": "c" },
    },
    "a classifier with 3 labels",
  ],
  ["qwen2", { use_sliding_window: true }, "use_sliding_window"],
  ["qwen2", { layer_types: ["full_attention", "sliding_attention"] }, "layer_types"],
  ["qwen3", { use_sliding_window: true }, "use_sliding_window"],
  ["mistral", { layer_types: ["full_attention", "sliding_attention"] }, "layer_types"],
  ["smollm3", { use_sliding_window: true }, "use_sliding_window"],
  ["olmo2", { layer_types: ["sliding_attention"] }, "layer_types"],
  ["granite", { hidden_act: "relu" }, 'hidden_act "relu"'],
  ["phi3", { hidden_act: "gelu" }, 'hidden_act "gelu"'],
  ["gemma2", { hidden_activation: "relu" }, 'hidden_activation "relu"'],
  ["gemma2", { use_bidirectional_attention: true }, "use_bidirectional_attention"],
  [
    "gemma3_text",
    { rope_parameters: { sliding_attention: SCALED } },
    "scaled rotary angles of sliding_attention",
  ],
  ["gpt_neox", { hidden_act: "quick_gelu" }, 'hidden_act "quick_gelu"'],
  ["gpt2", { activation_function: "quick_gelu" }, 'activation_function "quick_gelu"'],
  ["gpt2", { scale_attn_by_inverse_layer_idx: true }, "scale_attn_by_inverse_layer_idx"],
  ["gpt2", { add_cross_attention: true }, "add_cross_attention"],
  ["gpt2", { scale_attn_weights: false }, "scale_attn_weights"],
];

describe("what a config.json asks for that we do not compute", () => {
  for (const [family, fields, name] of REFUSED) {
    it(`is refused by name: ${family}, ${name}`, () => {
      const hf = toHfConfig(tinyConfig(family));
      expect(fromHfConfig(hf).architecture).toBe(family);
      expect(() => fromHfConfig({ ...hf, ...fields })).toThrow(name);
      expect(() => fromHfConfig({ ...hf, ...fields })).toThrow("[unimplemented]");
    });
  }
});

/** Of public repositories whose config.json looks much like that of a family that is loaded. */
const OTHER_TYPES = [
  ...[
    "bloom",
    "cohere",
    "cohere2",
    "deepseek_v2",
    "deepseek_v3",
    "exaone",
    "falcon",
    "gemma",
    "gemma3n",
  ],
  ...[
    "glm4",
    "gpt_bigcode",
    "gpt_neo",
    "gpt_oss",
    "gptj",
    "granitemoe",
    "internlm2",
    "jamba",
    "llama4",
  ],
  ...[
    "llama4_text",
    "minicpm",
    "mistral3",
    "mpt",
    "nemotron",
    "olmo",
    "olmo3",
    "olmoe",
    "opt",
    "phi",
  ],
  ...["phimoe", "qwen2_moe", "qwen3_moe", "qwen3_next", "stablelm", "starcoder2", "xglm"],
];

describe("a config.json of another type", () => {
  for (const type of OTHER_TYPES) {
    it(`is refused by the name of the type: ${type}`, () => {
      const hf = { ...toHfConfig(tinyConfig("llama")), model_type: type };
      expect(() => fromHfConfig(hf)).toThrow(`model_type "${type}"; llama, gpt2, `);
    });
  }
});

describe("what a family's config.json has no field for", () => {
  for (const [family, fields] of [
    ["llama", { slidingWindow: 4 }],
    ["llama", { activation: "geglu" }],
    ["qwen3", { logitSoftcap: 30 }],
    ["mistral", { ropeLayers: [true, false] }],
    ["gpt2", { residualScale: 0.5 }],
  ] as const) {
    const [field] = Object.keys(fields) as [string];
    it(`is refused when a model is made: ${family}, ${field}`, () => {
      expect(() => tinyConfig(family, fields)).toThrow(`${family} cannot have ${field}`);
    });
  }
});

describe("config.json", () => {
  for (const family of ARCHITECTURES) {
    it(`says all of a new model of each family: ${family}`, () => {
      const config = tinyConfig(family, { headSize: 4 });
      expect(fromHfConfig(toHfConfig(config))).toMatchObject(config);
    });
  }

  it("names the numbers that a rope scaling lacks", () => {
    const hf = toHfConfig(tinyConfig("llama"));
    const scaling = { rope_type: "llama3", factor: 8 };
    expect(() => fromHfConfig({ ...hf, rope_scaling: scaling })).toThrow(
      "needs low_freq_factor above 0",
    );
  });
});
