import { readFileSync } from "node:fs";
import { createRecordingClient } from "@stagecraft/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { createTensors } from "../../testing/random.js";
import { tf } from "../../tf.js";
import type { AttentionOptions } from "../../types.js";
import type { Engine } from "../engine.js";
import { startOn } from "./start.js";

const client = { ...createRecordingClient(), platform: "cuda" };
let engine: Engine;
beforeAll(async () => {
  engine = await startOn(client, { products: "bf16", attention: "cudnn" });
});

const [T, H, G, D] = [16, 4, 2, 8];

interface Case extends Partial<AttentionOptions> {
  /** Another one for each case: a program is compiled once. */
  batchSize: number;
  /** Of a token by its place in a row. */
  segment?(place: number): number;
}

/** The program of attention and its gradients. */
function textOf({ batchSize, segment, ...options }: Case): string {
  const t = createTensors(3);
  const places = Int32Array.from({ length: batchSize * T }, (_, i) => i % T);
  const layout = { batchSize, length: T, ...(segment && { segments: places.map(segment) }) };
  const how = { numHeads: H, numKvHeads: G, ...options };
  const loss = (...inputs: tf.Tensor[]) => {
    const [q, k, v] = inputs as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
    return tf.sum(engine.ops.causalAttention(q, k, v, layout, how));
  };
  const numTexts = client.texts.length;
  tf.tidy(() => {
    const inputs = [H, G, G].map((heads) => t.normal([batchSize * T, heads * D]));
    for (const grad of tf.grads(loss)(inputs)) grad.dataSync();
  });
  expect(client.texts).toHaveLength(numTexts + 1);
  return client.texts.at(-1)!;
}

/** The calls, without the names of values. */
const callsOf = (text: string) =>
  [...text.matchAll(/custom_call .*/g)].map(([line]) => line.replaceAll(/%[\w#]+/g, "%"));

const golden = readFileSync(new URL("golden/cudnn-attention.mlir", import.meta.url), "utf8");

describe("attention by cuDNN", () => {
  it("is the calls that JAX lowers for CUDA, between rows and gradients in f32", () => {
    const text = textOf({ batchSize: 2 });
    expect(callsOf(text)).toHaveLength(2);
    expect(callsOf(text)).toEqual(callsOf(golden));
    expect(text.replaceAll(/\{api_version.*?\]\} /g, "")).toMatchInlineSnapshot(`
      "module @stagecraft {
      func.func public @main(%f32: tensor<2049xf32>) -> (tensor<32x32xf32>, tensor<32x16xf32>, tensor<32x16xf32>) {
      %0 = stablehlo.slice %f32 [0:1024] : (tensor<2049xf32>) -> tensor<1024xf32>
      %1 = stablehlo.reshape %0 : (tensor<1024xf32>) -> tensor<32x32xf32>
      %2 = stablehlo.reshape %1 : (tensor<32x32xf32>) -> tensor<2x16x4x8xf32>
      %3 = stablehlo.convert %2 : (tensor<2x16x4x8xf32>) -> tensor<2x16x4x8xbf16>
      %4 = stablehlo.slice %f32 [1024:1536] : (tensor<2049xf32>) -> tensor<512xf32>
      %5 = stablehlo.reshape %4 : (tensor<512xf32>) -> tensor<32x16xf32>
      %6 = stablehlo.reshape %5 : (tensor<32x16xf32>) -> tensor<2x16x2x8xf32>
      %7 = stablehlo.convert %6 : (tensor<2x16x2x8xf32>) -> tensor<2x16x2x8xbf16>
      %8 = stablehlo.slice %f32 [1536:2048] : (tensor<2049xf32>) -> tensor<512xf32>
      %9 = stablehlo.reshape %8 : (tensor<512xf32>) -> tensor<32x16xf32>
      %10 = stablehlo.reshape %9 : (tensor<32x16xf32>) -> tensor<2x16x2x8xf32>
      %11 = stablehlo.convert %10 : (tensor<2x16x2x8xf32>) -> tensor<2x16x2x8xbf16>
      %12:3 = stablehlo.custom_call @__cudnn$fmhaSoftmax(%3, %7, %11) : (tensor<2x16x4x8xbf16>, tensor<2x16x2x8xbf16>, tensor<2x16x2x8xbf16>) -> (tensor<2x4x16x8xbf16>, tensor<2x4x16xf32>, tensor<0xui8>)
      %13 = stablehlo.transpose %12#0, dims = [0, 2, 1, 3] : (tensor<2x4x16x8xbf16>) -> tensor<2x16x4x8xbf16>
      %14 = stablehlo.slice %f32 [2048:2049] : (tensor<2049xf32>) -> tensor<1xf32>
      %15 = stablehlo.reshape %14 : (tensor<1xf32>) -> tensor<f32>
      %16 = stablehlo.reshape %15 : (tensor<f32>) -> tensor<1x1xf32>
      %17 = stablehlo.broadcast_in_dim %16, dims = [0, 1] : (tensor<1x1xf32>) -> tensor<32x32xf32>
      %18 = stablehlo.reshape %17 : (tensor<32x32xf32>) -> tensor<2x16x4x8xf32>
      %19 = stablehlo.convert %18 : (tensor<2x16x4x8xf32>) -> tensor<2x16x4x8xbf16>
      %20:4 = stablehlo.custom_call @__cudnn$fmhaSoftmaxBackward(%3, %7, %11, %12#1, %19, %13) : (tensor<2x16x4x8xbf16>, tensor<2x16x2x8xbf16>, tensor<2x16x2x8xbf16>, tensor<2x4x16xf32>, tensor<2x16x4x8xbf16>, tensor<2x16x4x8xbf16>) -> (tensor<2x4x16x8xbf16>, tensor<2x2x16x8xbf16>, tensor<2x2x16x8xbf16>, tensor<0xui8>)
      %21 = stablehlo.transpose %20#0, dims = [0, 2, 1, 3] : (tensor<2x4x16x8xbf16>) -> tensor<2x16x4x8xbf16>
      %22 = stablehlo.transpose %20#1, dims = [0, 2, 1, 3] : (tensor<2x2x16x8xbf16>) -> tensor<2x16x2x8xbf16>
      %23 = stablehlo.transpose %20#2, dims = [0, 2, 1, 3] : (tensor<2x2x16x8xbf16>) -> tensor<2x16x2x8xbf16>
      %24 = stablehlo.convert %21 : (tensor<2x16x4x8xbf16>) -> tensor<2x16x4x8xf32>
      %25 = stablehlo.reshape %24 : (tensor<2x16x4x8xf32>) -> tensor<32x32xf32>
      %26 = stablehlo.convert %22 : (tensor<2x16x2x8xbf16>) -> tensor<2x16x2x8xf32>
      %27 = stablehlo.reshape %26 : (tensor<2x16x2x8xf32>) -> tensor<32x16xf32>
      %28 = stablehlo.convert %23 : (tensor<2x16x2x8xbf16>) -> tensor<2x16x2x8xf32>
      %29 = stablehlo.reshape %28 : (tensor<2x16x2x8xf32>) -> tensor<32x16xf32>
      return %25, %27, %29 : tensor<32x32xf32>, tensor<32x16xf32>, tensor<32x16xf32>
      }
      }
      "
    `);
  });

  it("takes rows of one document alone; others have a mask", () => {
    expect(callsOf(textOf({ batchSize: 3, segment: () => 1 }))).toHaveLength(2);
    const padded = (place: number) => Number(place < 12);
    const packed = (place: number) => (place < 6 ? 1 : 2);
    expect(callsOf(textOf({ batchSize: 4, segment: padded }))).toEqual([]);
    expect(callsOf(textOf({ batchSize: 5, segment: packed }))).toEqual([]);
  });

  it("leaves windows, caps and odd heads to the definition", () => {
    expect(callsOf(textOf({ batchSize: 6, window: 4 }))).toEqual([]);
    expect(callsOf(textOf({ batchSize: 7, softcap: 5 }))).toEqual([]);
    expect(callsOf(textOf({ batchSize: 8, numHeads: 8, numKvHeads: 4 }))).toEqual([]); // of 4 numbers
  });

  it("has the scale of the model's attention", () => {
    expect(textOf({ batchSize: 9, scale: 2 })).toContain("fmha_scale\\22: 2.0, ");
  });

  it("is refused by name in f32, and where there is no CUDA", async () => {
    const wanted = { attention: "cudnn" } as const;
    await expect(startOn(client, wanted)).rejects.toThrow(
      /this is f32 on cuda: take matmulPrecision "bf16"/,
    );
    const onCpu = { ...client, platform: "cpu" };
    await expect(startOn(onCpu, { ...wanted, products: "bf16" })).rejects.toThrow("bf16 on cpu");
  });
});
