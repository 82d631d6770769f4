/** llama.cpp's names of a model's weights. */
import { f32, type TensorEntry, type TensorMap } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";
import type { ModelConfig } from "../config.js";
import { familyOf } from "../families/index.js";
import { HEAD_NAMES, type BlockNames } from "../names.js";
import type { GgufFamily } from "./gguf-families.js";

const BLOCK: Readonly<Record<keyof BlockNames, string>> = {
  attentionNorm: "attn_norm",
  q: "attn_q",
  k: "attn_k",
  v: "attn_v",
  o: "attn_output",
  qNorm: "attn_q_norm",
  kNorm: "attn_k_norm",
  attentionPostNorm: "post_attention_norm",
  mlpNorm: "ffn_norm",
  gate: "ffn_gate",
  up: "ffn_up",
  down: "ffn_down",
  mlpPostNorm: "post_ffw_norm",
};

/** Weights that one of llama.cpp's holds, its rows one after the other. */
const JOINED: Readonly<Record<string, readonly string[]>> = {
  attn_qkv: ["attn_q", "attn_k", "attn_v"],
  ffn_up: ["ffn_gate", "ffn_up"],
};

/** Weights of our layout, by llama.cpp's names, those that it holds in one joined. */
export function ggufNamed(
  config: ModelConfig,
  weights: TensorMap,
  family: GgufFamily,
): Map<string, TensorEntry> {
  const names = namesOf(config);
  const named = new Map<string, TensorEntry>();
  for (const [name, entry] of weights) {
    const known = names.get(name);
    if (known === undefined) {
      throw new StagecraftError("unimplemented", `llama.cpp has no place for the weights ${name}`);
    }
    named.set(known, entry);
  }
  for (let layer = 0; layer < config.numLayers; layer++) {
    for (const whole of family.joins ?? []) {
      for (const kind of KINDS) join(named, { layer, whole, kind });
    }
  }
  if (family.needsOutput && !named.has("output.weight")) {
    named.set("output.weight", named.get("token_embd.weight")!);
  }
  if (family.needsBiases) addZeroBiases(named);
  return named;
}

function addZeroBiases(tensors: Map<string, TensorEntry>): void {
  for (const [name, { shape }] of [...tensors]) {
    const bias = name.replace(/weight$/, "bias");
    if (!/^(blk\.|output_norm)/.test(name) || tensors.has(bias)) continue;
    tensors.set(bias, f32([shape[0]!], new Float32Array(shape[0]!)));
  }
}

const KINDS = ["weight", "bias"] as const;

function namesOf(config: ModelConfig): Map<string, string> {
  const { embedding, positions, finalNorm, block } = familyOf(config).names;
  const names = new Map([
    [embedding, "token_embd.weight"],
    [HEAD_NAMES.lm.weight, "output.weight"],
    ...KINDS.map((kind) => [finalNorm[kind], `output_norm.${kind}`] as const),
  ]);
  if (positions) names.set(positions, "position_embd.weight");
  for (let layer = 0; layer < config.numLayers; layer++) {
    for (const [part, module] of Object.entries(block(layer))) {
      const name = BLOCK[part as keyof BlockNames];
      for (const kind of KINDS) names.set(module[kind], `blk.${layer}.${name}.${kind}`);
    }
  }
  return names;
}

function join(
  tensors: Map<string, TensorEntry>,
  { layer, whole, kind }: { layer: number; whole: string; kind: string },
): void {
  const parts = JOINED[whole]!.map((part) => `blk.${layer}.${part}.${kind}`);
  const entries = parts.map((part) => tensors.get(part));
  if (!entries.every((entry) => entry !== undefined)) return;
  for (const part of parts) tensors.delete(part);
  const rows = entries.reduce((sum, { shape }) => sum + shape[0]!, 0);
  const data = new Float32Array(entries.reduce((sum, entry) => sum + entry.data.length, 0));
  let at = 0;
  for (const entry of entries) {
    data.set(entry.data as Float32Array, at);
    at += entry.data.length;
  }
  const [, ...rest] = entries[0]!.shape;
  tensors.set(`blk.${layer}.${whole}.${kind}`, f32([rows, ...rest], data));
}
