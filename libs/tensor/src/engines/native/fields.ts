import { functionOf } from "../../activations.js";
import type { Activation, AttentionOptions, Rope } from "../../types.js";

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
