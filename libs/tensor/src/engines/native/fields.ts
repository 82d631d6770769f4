import { functionOf } from "../../activations.js";
import type { Activation, AttentionOptions, LinearWeights, Rope } from "../../types.js";

/** In the order of the addon's enum. */
const ACTIVATIONS = ["silu", "gelu", "gelu-erf", "relu", "tanh"] as const;

/** The addon's number of an activation, of its gate where it has one. */
export function activationField(activation: Activation): number {
  return ACTIVATIONS.indexOf(functionOf(activation));
}

const NO_ROPE = { ropePairs: 0, ropeFrequencies: undefined, ropeScale: 1 };

export function ropeFields(rope: Rope | undefined) {
  if (!rope) return NO_ROPE;
  const { frequencies, scale = 1 } = rope;
  return { ropePairs: frequencies.length, ropeFrequencies: frequencies, ropeScale: scale };
}

/** How scores become weights; a window has a field of its own. */
export function scoreFields({ scale, softcap = 0 }: AttentionOptions, headSize: number) {
  return { attentionScale: scale ?? 1 / Math.sqrt(headSize), attentionSoftcap: softcap };
}

/** The tensors of the linear map `name` by the addon's names, which end in `at`: a layer's number or nothing. */
export function mapInputs(name: string, map: LinearWeights | undefined, at: number | "" = "") {
  return {
    [`${name}Weight${at}`]: map?.weight,
    [`${name}Bias${at}`]: map?.bias,
    [`${name}A${at}`]: map?.adapter?.a,
    [`${name}B${at}`]: map?.adapter?.b,
  };
}

/** The numbers of its adapter. */
export function mapFields(name: string, map: LinearWeights | undefined, at: number | "" = "") {
  const { adapter } = map ?? {};
  return { [`${name}Rank${at}`]: adapter?.a.shape[0], [`${name}Scale${at}`]: adapter?.scale };
}

/** In what layers differ: the addon's names end in the number of the layer. */
export function layerFields(layers: readonly { rope?: Rope; window?: number }[]) {
  const fields: Record<string, number | Float64Array | undefined> = {};
  layers.forEach(({ rope, window = 0 }, i) => {
    for (const [name, value] of Object.entries({ ...ropeFields(rope), window })) {
      fields[name + i] = value;
    }
  });
  return fields;
}
