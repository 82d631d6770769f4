/**
 * GPT-NeoX (Black et al. 2022), also Pythia: LayerNorm, rotary positions on a quarter of each head, GELU,
 * attention and MLP side by side; every module has a bias. transformers keeps q, k and v of each head as one
 * piece of query_key_value.
 */
import type { JsonObject } from "@stagecraft/core";
import type { ModelConfig } from "../config.js";
import { only } from "../hf-reader.js";
import { HEAD_NAMES, moduleAt } from "../names.js";
import { activationNames, hfActivation, readActivation } from "./activations.js";
import { fusedRows, type Conversion } from "./convert.js";
import type { Family, ModuleKind } from "./family.js";
import { readRope, ropeFields, ropeTypeProblems, rotaryProblems } from "./shared.js";

const ATTENTION = new Set<ModuleKind>(["q", "k", "v", "o"]);

const fused = fusedRows(({ numLayers, numHeads, headSize }) =>
  Array.from({ length: numLayers }, (_, layer) => {
    const path = `gpt_neox.layers.${layer}.attention`;
    return {
      fused: `${path}.query_key_value`,
      parts: ["q", "k", "v"].map((part) => `${path}.${part}_proj`),
      rows: [headSize, headSize, headSize],
      groups: numHeads,
    };
  }),
);

/** The output map has another name there. */
const OUT = "embed_out.weight";

const convert: Conversion = {
  toHf: (config, tensors) => renamed(fused.toHf(config, tensors), HEAD_NAMES.lm.weight, OUT),
  fromHf: (config, tensors) => fused.fromHf(config, renamed(tensors, OUT, HEAD_NAMES.lm.weight)),
};

function renamed<T>(map: ReadonlyMap<string, T>, from: string, to: string): Map<string, T> {
  return new Map([...map].map(([name, value]) => [name === from ? to : name, value]));
}

export const gptNeox: Family = {
  classes: { lm: "GPTNeoXForCausalLM", score: "GPTNeoXForSequenceClassification" },
  names: {
    embedding: "gpt_neox.embed_in.weight",
    finalNorm: moduleAt("gpt_neox.final_layer_norm"),
    block(layer) {
      const path = `gpt_neox.layers.${layer}`;
      return {
        attentionNorm: moduleAt(`${path}.input_layernorm`),
        q: moduleAt(`${path}.attention.q_proj`),
        k: moduleAt(`${path}.attention.k_proj`),
        v: moduleAt(`${path}.attention.v_proj`),
        o: moduleAt(`${path}.attention.dense`),
        mlpNorm: moduleAt(`${path}.post_attention_layernorm`),
        up: moduleAt(`${path}.mlp.dense_h_to_4h`),
        down: moduleAt(`${path}.mlp.dense_4h_to_h`),
      };
    },
  },
  block: { norm: "layer", activation: "gelu-erf", rotary: true },
  hasBias: (module, bias) => !ATTENTION.has(module) || bias === true,
  preset: ({ hiddenSize }) => ({
    ...{ intermediateSize: 4 * hiddenSize, tieEmbeddings: false, bias: true },
    ...{ rotaryFraction: 0.25, parallelBlocks: true },
  }),
  problems: (config) => [...rotaryProblems(config), ...shapeProblems(config)],
  toHf: (config) => ({
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.numLayers,
    num_attention_heads: config.numHeads,
    max_position_embeddings: config.maxPositions,
    hidden_act: hfActivation(config.activation ?? "gelu-erf"),
    layer_norm_eps: config.normEps,
    use_parallel_residual: config.parallelBlocks === true,
    attention_bias: config.bias === true,
    ...neoxRope(config),
    ...{ attention_dropout: 0, hidden_dropout: 0 },
  }),
  fromHf(reader) {
    const { fields, number } = reader;
    const [hiddenSize, numHeads] = [number("hidden_size"), number("num_attention_heads")];
    const maxPositions = number("max_position_embeddings", 2048);
    const theta = number("rotary_emb_base", number("rope_theta", 10_000));
    const rope = readRope(reader, { theta, maxPositions });
    return {
      ...{ hiddenSize, numHeads, numKvHeads: numHeads, headSize: hiddenSize / numHeads },
      numLayers: number("num_hidden_layers"),
      intermediateSize: number("intermediate_size"),
      maxPositions,
      ...rope,
      rotaryFraction: rope.rotaryFraction ?? number("rotary_pct", hasFraction(fields) ? 1 : 0.25),
      normEps: number("layer_norm_eps", 1e-5),
      tieEmbeddings: fields["tie_word_embeddings"] === true,
      bias: fields["attention_bias"] === false ? "mlp" : true,
      parallelBlocks: fields["use_parallel_residual"] !== false,
      ...readActivation(fields, "hidden_act", "gelu-erf"),
    };
  },
  unsupported: (hf) => [...only(hf, "hidden_act", activationNames()), ...ropeTypeProblems(hf)],
  convert,
};

/** Names of its own, which earlier versions of transformers read. */
function neoxRope(config: ModelConfig): JsonObject {
  const { rotaryFraction = 1, ropeTheta } = config;
  const fields = ropeFields({ ...config, rotaryFraction });
  return { ...fields, rotary_pct: rotaryFraction, rotary_emb_base: ropeTheta };
}

const hasFraction = (hf: JsonObject) =>
  [hf, hf["rope_parameters"], hf["rope_scaling"]].some(
    (home) => (home as JsonObject | null | undefined)?.["partial_rotary_factor"] != null,
  );

function shapeProblems({ bias, hiddenSize, numHeads, numKvHeads, headSize }: ModelConfig) {
  return [
    ...(bias === true || bias === "mlp"
      ? []
      : [`gpt_neox has biases on its MLP: bias must be true or "mlp", got ${bias}`]),
    ...(numKvHeads === numHeads && headSize * numHeads === hiddenSize
      ? []
      : [`gpt_neox divides hiddenSize ${hiddenSize} into its ${numHeads} heads of q, k and v`]),
  ];
}
