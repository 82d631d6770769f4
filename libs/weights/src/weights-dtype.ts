import { narrowBF16, widenBF16, type TensorMap } from "@stagecraft/checkpoint";

/** How weights are served: as they are trained, or rounded to the upper half of their bits. */
export const WEIGHTS_DTYPES = ["f32", "bf16"] as const;
export type WeightsDtype = (typeof WEIGHTS_DTYPES)[number];

/**
 * The weights as policies get them. `bf16` is half the bytes and another computation: policies sample from
 * the rounded weights, and what PPO learns from are the log-probs of those. The trainer's own stay f32.
 */
export function asDtype(tensors: TensorMap, dtype: WeightsDtype): TensorMap {
  if (dtype === "f32") return tensors;
  return new Map(
    [...tensors].map(([name, entry]) => {
      if (entry.dtype !== "F32") return [name, entry];
      // Rounded here, so that a store that keeps the arrays holds the same numbers.
      const data = widenBF16(narrowBF16(entry.data as Float32Array));
      return [name, { ...entry, dtype: "BF16", data }];
    }),
  );
}
