import { StagecraftError } from "@stagecraft/core";
import type { TensorEntry, TensorMap } from "@stagecraft/checkpoint";
import type { LoraConfig } from "./peft-config.js";

/** The two maps of one adapter, B·A is [out, in]. */
interface Pair {
  /** The weight that it changes, in transformers' names. */
  readonly name: string;
  /** [r, in] */
  readonly a: TensorEntry;
  /** [out, r] */
  readonly b: TensorEntry;
}

const FACTOR = /^base_model\.model\.(.+)\.lora_A(?:\.default)?\.weight$/;

/**
 * Adds an adapter to weights in transformers' layout, in their place. Throws `unimplemented` for tensors that
 * are not LoRA's two factors, `failed_precondition` where they do not fit the weights.
 */
export function mergeAdapter(
  weights: TensorMap,
  adapter: TensorMap,
  { config, source }: { config: LoraConfig; source: string },
): void {
  const pairs = pairsOf(adapter, source);
  const misfits = pairs.flatMap((pair) => misfitOf(pair, weights, config));
  if (misfits.length > 0) {
    const more = misfits.length > 3 ? ` and ${misfits.length - 3} more` : "";
    throw new StagecraftError(
      "failed_precondition",
      `${source} is an adapter of another base model: ${misfits.slice(0, 3).join("; ")}${more}`,
      { details: { source, misfits } },
    );
  }
  for (const pair of pairs) addTo(weights.get(pair.name)!, pair, config);
}

function pairsOf(adapter: TensorMap, source: string): Pair[] {
  const known = new Set<string>();
  const pairs = [...adapter].flatMap(([key, a]): Pair[] => {
    const path = FACTOR.exec(key)?.[1];
    const keyOfB = key.replace(".lora_A.", ".lora_B.");
    const b = adapter.get(keyOfB);
    if (path === undefined || b === undefined) return [];
    known.add(key).add(keyOfB);
    return [{ name: `${path}.weight`, a, b }];
  });
  const others = [...adapter.keys()].filter((key) => !known.has(key));
  if (others.length === 0 && pairs.length > 0) return pairs;
  const what =
    others.length > 0 ? `not supported: ${others.slice(0, 3).join(", ")}` : "it holds no adapter";
  throw new StagecraftError(
    "unimplemented",
    `${source}: ${what}; only lora_A and lora_B of linear maps are read`,
    { details: { source, others } },
  );
}

function misfitOf({ name, a, b }: Pair, weights: TensorMap, { transposed }: LoraConfig): string[] {
  const weight = weights.get(name);
  if (!weight) return [`it has no ${name}`];
  const change = [b.shape[0], a.shape[1]];
  if (transposed) change.reverse();
  const fits = a.shape.length === 2 && b.shape.length === 2 && a.shape[0] === b.shape[1];
  if (fits && change.join() === weight.shape.join()) return [];
  const [as, bs] = [a.shape.join(", "), b.shape.join(", ")];
  return [`${name} is [${weight.shape.join(", ")}], A [${as}] and B [${bs}] do not fit`];
}

/** W + scale·B·A, summed in float64 and rounded once. */
function addTo({ data }: TensorEntry, { a, b }: Pair, { scaleOf, transposed }: LoraConfig): void {
  const [rank, width] = a.shape as [number, number];
  const height = b.shape[0]!;
  const [weight, A, B] = [data, a.data, b.data] as [Float32Array, Float32Array, Float32Array];
  const scale = scaleOf(rank);
  const row = new Float64Array(width);
  for (let o = 0; o < height; o++) {
    row.fill(0);
    for (let r = 0; r < rank; r++) {
      const factor = scale * B[o * rank + r]!;
      for (let i = 0; i < width; i++) row[i]! += factor * A[r * width + i]!;
    }
    const [start, step] = transposed ? [o, height] : [o * width, 1];
    for (let i = 0; i < width; i++) weight[start + i * step]! += row[i]!;
  }
}
