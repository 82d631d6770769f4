import { sizeOfShape, type DType, type TensorEntry, type TensorMap } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";

/** Types that weights can have in files, by our names; what computes is float32. */
const STORED = {
  f32: { safetensors: "F32", torch: "float32" },
  bf16: { safetensors: "BF16", torch: "bfloat16" },
  f16: { safetensors: "F16", torch: "float16" },
} as const satisfies Record<string, { safetensors: DType; torch: string }>;

export type ModelDtype = keyof typeof STORED;

export const MODEL_DTYPES = Object.keys(STORED) as [ModelDtype, ...ModelDtype[]];

/** The name that config.json has for it. */
export const torchName = (dtype: ModelDtype): string => STORED[dtype].torch;

/** The type of all weights; f32, which loses nothing, where they have several. */
export function dtypeOf(tensors: TensorMap): ModelDtype {
  const found = new Set([...tensors.values()].map(({ dtype }) => dtype));
  return (
    MODEL_DTYPES.find((name) => found.size === 1 && found.has(STORED[name].safetensors)) ?? "f32"
  );
}

/** From here on, the nearest float16 is infinity. */
export const F16_LIMIT = 65_520;

/** The weights as they are to be stored; throws `failed_precondition` for values that the type cannot hold. */
export function storeAs(dtype: ModelDtype, tensors: TensorMap): TensorMap {
  if (dtype === "f16") {
    for (const [name, { shape, data }] of tensors) requireWithin("f16", { name, shape, data });
  }
  return new Map(
    [...tensors].map(([name, entry]) => [name, { ...entry, dtype: STORED[dtype].safetensors }]),
  );
}

/** Throws `failed_precondition` for a value of a tensor that a type cannot hold. */
export function requireWithin(
  type: string,
  {
    name,
    shape,
    data,
    limit = F16_LIMIT,
  }: Pick<TensorEntry, "shape" | "data"> & { name: string; limit?: number },
): void {
  const values = data as Float32Array;
  for (let i = 0; i < sizeOfShape(shape); i++) {
    if (Math.abs(values[i]!) < limit) continue;
    const most = limit === F16_LIMIT ? 65_504 : limit;
    throw new StagecraftError(
      "failed_precondition",
      `${name} has the value ${values[i]}, more than ${type} can hold (${most}): write the model as bf16 or f32`,
    );
  }
}
