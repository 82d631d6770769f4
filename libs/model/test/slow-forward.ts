import type { TensorMap } from "@stagecraft/checkpoint";
import type { ModelConfig } from "../src/config.js";

/**
 * Logits of one sequence by loops over plain numbers, [T][V], for families of Llama's make. Written from
 * transformers' modeling code, tensor by tensor under its names; a bias counts wherever there is one.
 */
export function slowLogits(config: ModelConfig, tensors: TensorMap, ids: Int32Array): number[][] {
  const { numHeads, numKvHeads, headSize, ropeTheta, normEps, numLayers } = config;
  const data = (name: string) => tensors.get(name)!.data as Float32Array;
  const linear = (x: number[], path: string) => {
    const weight = data(`${path}.weight`);
    const bias = tensors.get(`${path}.bias`)?.data as Float32Array | undefined;
    return Array.from({ length: weight.length / x.length }, (_, row) => {
      return x.reduce(
        (sum, value, i) => sum + value * weight[row * x.length + i]!,
        bias?.[row] ?? 0,
      );
    });
  };
  const norm = (x: number[], path: string) => {
    const scale = 1 / Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length + normEps);
    return x.map((value, i) => value * scale * data(`${path}.weight`)[i]!);
  };
  const headOf = (x: number[], head: number) => x.slice(head * headSize, (head + 1) * headSize);
  const rotate = (x: number[], position: number) => {
    const half = headSize / 2;
    return x.map((value, i) => {
      const angle = position * ropeTheta ** (-(i % half) / half);
      const other = i < half ? -x[i + half]! : x[i - half]!;
      return value * Math.cos(angle) + other * Math.sin(angle);
    });
  };
  const add = (x: number[], y: number[]) => x.map((value, i) => value + y[i]!);

  const table = data("model.embed_tokens.weight");
  const D = config.hiddenSize;
  let states = Array.from(ids, (id) => [...table.subarray(id * D, (id + 1) * D)]);
  for (let layer = 0; layer < numLayers; layer++) {
    const path = `model.layers.${layer}`;
    const normed = states.map((x) => norm(x, `${path}.input_layernorm`));
    const [qs, ks, vs] = ["q", "k", "v"].map((part) => {
      return normed.map((x) => linear(x, `${path}.self_attn.${part}_proj`));
    }) as [number[][], number[][], number[][]];
    states = states.map((x, t) => {
      const mixed = Array.from({ length: numHeads }, (_, head) => {
        const shared = Math.floor((head * numKvHeads) / numHeads);
        const q = rotate(headOf(qs[t]!, head), t);
        const scores = ks.slice(0, t + 1).map((k, s) => {
          const key = rotate(headOf(k, shared), s);
          return key.reduce((sum, value, i) => sum + value * q[i]!, 0) / Math.sqrt(headSize);
        });
        const weights = scores.map((score) => Math.exp(score - Math.max(...scores)));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        return weights.reduce(
          (sum, weight, s) =>
            add(
              sum,
              headOf(vs[s]!, shared).map((v) => (v * weight) / total),
            ),
          new Array<number>(headSize).fill(0),
        );
      });
      const attended = add(x, linear(mixed.flat(), `${path}.self_attn.o_proj`));
      const inner = norm(attended, `${path}.post_attention_layernorm`);
      const up = linear(inner, `${path}.mlp.up_proj`);
      const gate = linear(inner, `${path}.mlp.gate_proj`);
      const active = up.map((value, i) => (value * gate[i]!) / (1 + Math.exp(-gate[i]!)));
      return add(attended, linear(active, `${path}.mlp.down_proj`));
    });
  }
  const head = config.tieEmbeddings ? "model.embed_tokens" : "lm_head";
  return states.map((x) => linear(norm(x, "model.norm"), head));
}
