/**
 * Causal attention as two calls of cuDNN, forward and backward, which keep no table of T × T scores. They are those that
 * JAX lowers for CUDA (`jax.nn.dot_product_attention` with implementation "cudnn"; jax/_src/cudnn/fused_attention_stablehlo.py),
 * in bf16 on rows [B, T, H, d]; golden/cudnn-attention.mlir is what JAX writes. Never run on a GPU so far.
 */
import { tf } from "../../tf.js";
import type { AttentionOptions, SequenceLayout } from "../../types.js";
import type { XlaBackend } from "./backend.js";
import { convert, reshape, transpose } from "./hlo.js";
import { operationWithParts, typeOf, typeText, type Value } from "./value.js";

/** Widest head that cuDNN takes on every GPU that has bf16. */
const MAX_HEAD_SIZE = 128;

interface Sizes {
  readonly B: number;
  readonly T: number;
  readonly H: number;
  /** Key/value heads. */
  readonly G: number;
  readonly d: number;
  readonly scale: number;
}

/** Whether cuDNN computes this: one document a row, and neither caps nor windows. */
export function suitsCudnn(
  { segments }: SequenceLayout,
  { softcap, window, numHeads }: AttentionOptions,
  width: number,
): boolean {
  const d = width / numHeads;
  const fits = d <= MAX_HEAD_SIZE && d % 8 === 0;
  const isPlain = softcap === undefined && window === undefined;
  return fits && isPlain && (segments?.every((segment) => segment === 1) ?? true);
}

/** `causalAttention` where `suitsCudnn`; q [B·T, H·d], k and v [B·T, G·d] → [B·T, H·d]. */
export function cudnnAttention(
  backend: XlaBackend,
  [q, k, v]: readonly [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D],
  { batchSize: B, length: T }: SequenceLayout,
  { numHeads: H, numKvHeads: G, scale }: AttentionOptions,
): tf.Tensor2D {
  const d = q.shape[1] / H;
  const sizes: Sizes = { B, T, H, G, d, scale: scale ?? 1 / Math.sqrt(d) };
  const heads = (x: tf.Tensor, count: number) =>
    convert(reshape(backend.value(x), [B, T, count, d]), "bf16");
  const rows = (x: Value) =>
    backend.tensor(reshape(convert(x, "f32"), [B * T, x.shape[2]! * x.shape[3]!]));
  const attend = tf.customGrad((...args) => {
    const [x, y, z, save] = args as unknown as [tf.Tensor, tf.Tensor, tf.Tensor, tf.GradSaveFunc];
    save([x, y, z]); // their buffers must be there still when the gradient is computed
    const factors = [heads(x, H), heads(y, G), heads(z, G)] as const;
    const { out, stats } = forward(factors, sizes);
    const gradFunc = (dy: tf.Tensor) =>
      backward(factors, { stats, out, dy: heads(dy, H) }, sizes).map(rows);
    return { value: rows(out), gradFunc };
  });
  return attend(q, k, v) as tf.Tensor2D;
}

type Factors = readonly [Value, Value, Value];

function forward(factors: Factors, sizes: Sizes): { out: Value; stats: Value } {
  const { B, T, H, d } = sizes;
  const results = [typeText([B, H, T, d], "bf16"), typeText([B, H, T], "f32"), WORKSPACE];
  const [out, stats] = operationWithParts(
    [
      { shape: [B, H, T, d], type: "bf16" },
      { shape: [B, H, T], type: "f32" },
    ],
    { inputs: factors, numResults: results.length },
    (names) =>
      customCall("__cudnn$fmhaSoftmax", names, {
        ...{ factors, results, config: configOf(sizes, FORWARD_PRODUCTS) },
        layouts: [HEADS_INSIDE, layoutOf(3), layoutOf(1)],
      }),
  );
  return { out: transpose(out!, [0, 2, 1, 3]), stats: stats! };
}

function backward(
  [q, k, v]: Factors,
  { stats, out, dy }: { stats: Value; out: Value; dy: Value },
  sizes: Sizes,
): Value[] {
  const { B, T, H, G, d } = sizes;
  const shapes = [H, G, G].map((heads) => [B, heads, T, d]);
  const results = [...shapes.map((shape) => typeText(shape, "bf16")), WORKSPACE];
  const factors = [q, k, v, stats, dy, out];
  const gradients = operationWithParts(
    shapes.map((shape) => ({ shape, type: "bf16" as const })),
    { inputs: factors, numResults: results.length },
    (names) =>
      customCall("__cudnn$fmhaSoftmaxBackward", names, {
        ...{ factors, results, config: configOf(sizes, BACKWARD_PRODUCTS) },
        layouts: [...shapes.map(() => HEADS_INSIDE), layoutOf(1)],
      }),
  );
  return gradients.map((gradient) => transpose(gradient, [0, 2, 1, 3]));
}

const WORKSPACE = "tensor<0xui8>";

/** [B, H, T, d] kept in memory as [B, T, H, d]. */
const HEADS_INSIDE = "dense<[3, 1, 2, 0]> : tensor<4xindex>";

/** Row-major. */
function layoutOf(rank: number): string {
  const axes = Array.from({ length: rank }, (_, i) => rank - 1 - i);
  return `dense<${rank === 1 ? "0" : `[${axes.join(", ")}]`}> : tensor<${rank}xindex>`;
}

interface Call {
  readonly factors: readonly Value[];
  readonly results: readonly string[];
  readonly layouts: readonly string[];
  readonly config: string;
}

function customCall(target: string, names: readonly string[], call: Call): string {
  const { factors, results, layouts, config } = call;
  const given = factors.map(({ shape }) => layoutOf(shape.length)).join(", ");
  const attributes = [
    "api_version = 2 : i32",
    `backend_config = "${config.replaceAll('"', "\\22")}"`,
    `operand_layouts = [${given}]`,
    `result_layouts = [${layouts.join(", ")}]`,
  ].join(", ");
  const types = `(${factors.map(typeOf).join(", ")}) -> (${results.join(", ")})`;
  return `stablehlo.custom_call @${target}(${names.join(", ")}) {${attributes}} : ${types}`;
}

/** Axes of a product: summed, of left and right; and those of batch and head. */
type Axes = readonly [left: string, right: string, leftBatch: string[], rightBatch: string[]];

const FORWARD_PRODUCTS: Readonly<Record<string, Axes>> = {
  bmm1: ["3", "3", ["0", "2"], ["0", "2"]],
  bmm2: ["3", "1", ["0", "1"], ["0", "2"]],
};
const BACKWARD_PRODUCTS: Readonly<Record<string, Axes>> = {
  bmm1_grad_gemm1: ["2", "1", ["0", "1"], ["0", "2"]],
  bmm1_grad_gemm2: ["3", "1", ["0", "1"], ["0", "2"]],
  bmm2_grad_gemm1: ["2", "1", ["0", "1"], ["0", "2"]],
  bmm2_grad_gemm2: ["3", "3", ["0", "2"], ["0", "2"]],
};

/** XLA's GpuBackendConfig as JAX writes it, in the order and spacing of Python's json. */
function configOf({ B, T, H, scale }: Sizes, products: Readonly<Record<string, Axes>>): string {
  const numbers = Object.entries(products).map(([name, [left, right, leftBatch, rightBatch]]) => [
    `${name}_dot_dimension_numbers`,
    {
      lhs_contracting_dimensions: [left],
      rhs_contracting_dimensions: [right],
      lhs_batch_dimensions: leftBatch,
      rhs_batch_dimensions: rightBatch,
    },
  ]);
  const attention = {
    algorithm: {
      algo_id: "0",
      math_type: "TENSOR_OP_MATH",
      tuning_knobs: { "17": "1", "24": "0" },
      is_cudnn_frontend: true,
      workspace_size: "0",
    },
    fmha_scale: new Float(scale),
    intermediate_tensor_shape: scoresOf({ B, T, H }),
    is_flash_attention: true,
    mask_type: "CAUSAL",
    ...(Object.fromEntries(numbers) as object),
    dropout_rate: new Float(0),
    seed: 42,
    sliding_window_length: 0,
    max_seg_per_batch: 1,
    is_paged_attention: false,
  };
  return pythonJson({ operation_queue_id: "0", cudnn_fmha_backend_config: attention });
}

/** XLA's ShapeProto of the scores. */
const scoresOf = ({ B, T, H }: Pick<Sizes, "B" | "T" | "H">) => ({
  element_type: "BF16",
  dimensions: [B, H, T, T].map(String),
  tuple_shapes: [],
  layout: {
    ...{ dim_level_types: [], dim_unique: [], dim_ordered: [] },
    ...{ minor_to_major: ["3", "2", "1", "0"], tiles: [] },
    ...{ element_size_in_bits: "0", memory_space: "0" },
    index_primitive_type: "PRIMITIVE_TYPE_INVALID",
    pointer_primitive_type: "PRIMITIVE_TYPE_INVALID",
    dynamic_shape_metadata_prefix_bytes: "0",
  },
  is_dynamic_dimension: [false, false, false, false],
});

/** A number that Python writes with a point. */
class Float {
  constructor(readonly value: number) {}
}

function pythonJson(value: unknown): string {
  if (value instanceof Float) {
    return Number.isInteger(value.value) ? `${value.value}.0` : String(value.value);
  }
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, each]) => `"${key}": ${pythonJson(each)}`);
  return `{${entries.join(", ")}}`;
}
