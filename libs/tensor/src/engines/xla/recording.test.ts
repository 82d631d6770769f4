import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { valueAndGrads } from "../../gradients.js";
import { tf } from "../../tf.js";
import { createTensors } from "../../testing/random.js";
import { createRecordingClient } from "../../testing/recording-client.js";
import type { Engine } from "../engine.js";
import { startOn } from "./start.js";

const client = createRecordingClient();
let engine: Engine;
beforeAll(async () => {
  engine = await startOn(client);
});
beforeEach(() => {
  client.texts.length = 0;
  client.calls.length = 0;
});

const ADAMW = { kind: "adamw", beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1 } as const;

/** A linear map of embedded ids and its training step. */
function tinyTraining() {
  const t = createTensors(4);
  const variable = (shape: number[]) => tf.tidy(() => tf.variable(t.normal(shape)));
  const params = new Map([
    ["table", variable([5, 2])],
    ["map", variable([3, 2])],
  ]);
  const table = params.get("table") as tf.Variable<tf.Rank.R2>;
  const weight = params.get("map") as tf.Variable<tf.Rank.R2>;
  const optimizer = engine.createOptimizer(params, { ...ADAMW, clipNorm: 1 });
  const gradients = (ids: number[]) =>
    valueAndGrads(params, () =>
      tf.sum(engine.ops.linear(engine.ops.embedding(Int32Array.from(ids), table), { weight })),
    );
  const step = (ids: number[], learningRate = 0.1) => {
    const { value, grads } = gradients(ids);
    optimizer.step(grads, learningRate, [value]);
    tf.dispose([value, ...grads.values()]);
  };
  const dispose = () => {
    optimizer.dispose();
    tf.dispose([...params.values()]);
  };
  return { params, optimizer, gradients, step, dispose };
}

describe("a recorded program", () => {
  it("is StableHLO with the host's numbers packed and constants as splats", () => {
    const y = tf.tidy(() => {
      const x = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]);
      const picked = tf.gather(x, tf.tensor1d([1, 0, 1], "int32"));
      const hidden = tf.tanh(tf.add(picked, tf.ones([3])));
      return tf.sum(tf.matMul(hidden, x, false, true), 1);
    });
    y.dataSync();
    y.dispose();
    expect(client.texts.join()).toMatchInlineSnapshot(`
      "module @stagecraft {
      func.func public @main(%f32: tensor<6xf32>, %i32: tensor<3xi32>) -> (tensor<3xf32>) {
      %0 = stablehlo.slice %f32 [0:6] : (tensor<6xf32>) -> tensor<6xf32>
      %1 = stablehlo.reshape %0 : (tensor<6xf32>) -> tensor<2x3xf32>
      %2 = stablehlo.slice %i32 [0:3] : (tensor<3xi32>) -> tensor<3xi32>
      %3 = "stablehlo.gather"(%1, %2) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 3>}> : (tensor<2x3xf32>, tensor<3xi32>) -> tensor<3x3xf32>
      %4 = stablehlo.constant dense<0x3F800000> : tensor<3x3xf32>
      %5 = stablehlo.add %3, %4 : tensor<3x3xf32>
      %6 = stablehlo.tanh %5 : tensor<3x3xf32>
      %7 = stablehlo.dot_general %6, %1, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<3x3xf32>, tensor<2x3xf32>) -> tensor<3x2xf32>
      %8 = stablehlo.constant dense<0x00000000> : tensor<f32>
      %9 = stablehlo.reduce(%7 init: %8) applies stablehlo.add across dimensions = [1] : (tensor<3x2xf32>, tensor<f32>) -> tensor<3xf32>
      return %9 : tensor<3xf32>
      }
      }
      "
    `);
    expect(client.calls).toEqual([["f32[6]", "s32[3]"]]);
  });

  it("computes a training step in one call: forward, backward, clipping, AdamW, donated weights", () => {
    const { step, dispose } = tinyTraining();
    step([4, 0, 4]);
    expect(client.calls).toHaveLength(1);
    expect(client.texts.join()).toMatchInlineSnapshot(`
      "module @stagecraft {
      func.func public @main(%arg0: tensor<5x2xf32> {tf.aliasing_output = 1 : i32}, %arg1: tensor<3x2xf32> {tf.aliasing_output = 4 : i32}, %arg2: tensor<5x2xf32> {tf.aliasing_output = 2 : i32}, %arg3: tensor<5x2xf32> {tf.aliasing_output = 3 : i32}, %arg4: tensor<3x2xf32> {tf.aliasing_output = 5 : i32}, %arg5: tensor<3x2xf32> {tf.aliasing_output = 6 : i32}, %f32: tensor<4xf32>, %i32: tensor<6xi32>) -> (tensor<f32>, tensor<5x2xf32>, tensor<5x2xf32>, tensor<5x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<f32>) {
      %0 = stablehlo.slice %i32 [0:3] : (tensor<6xi32>) -> tensor<3xi32>
      %1 = "stablehlo.gather"(%arg0, %0) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, indices_are_sorted = false, slice_sizes = array<i64: 1, 2>}> : (tensor<5x2xf32>, tensor<3xi32>) -> tensor<3x2xf32>
      %2 = stablehlo.dot_general %1, %arg1, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x3xf32>
      %3 = stablehlo.constant dense<0x00000000> : tensor<f32>
      %4 = stablehlo.reduce(%2 init: %3) applies stablehlo.add across dimensions = [0, 1] : (tensor<3x3xf32>, tensor<f32>) -> tensor<f32>
      %5 = stablehlo.slice %f32 [0:1] : (tensor<4xf32>) -> tensor<1xf32>
      %6 = stablehlo.reshape %5 : (tensor<1xf32>) -> tensor<f32>
      %7 = stablehlo.reshape %6 : (tensor<f32>) -> tensor<1x1xf32>
      %8 = stablehlo.reshape %7 : (tensor<1x1xf32>) -> tensor<f32>
      %9 = stablehlo.broadcast_in_dim %8, dims = [] : (tensor<f32>) -> tensor<3x3xf32>
      %10 = stablehlo.constant dense<0x3F800000> : tensor<3x3xf32>
      %11 = stablehlo.multiply %9, %10 : tensor<3x3xf32>
      %12 = stablehlo.dot_general %11, %arg1, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<3x3xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
      %13 = stablehlo.dot_general %11, %1, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<3x3xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
      %14 = stablehlo.constant dense<0x00000000> : tensor<5x2xf32>
      %15 = stablehlo.slice %i32 [3:6] : (tensor<6xi32>) -> tensor<3xi32>
      %16 = stablehlo.reshape %15 : (tensor<3xi32>) -> tensor<3x1xi32>
      %17 = "stablehlo.scatter"(%14, %16, %12) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({ ^bb0(%l: tensor<f32>, %r: tensor<f32>): %s = stablehlo.add %l, %r : tensor<f32> stablehlo.return %s : tensor<f32> }) : (tensor<5x2xf32>, tensor<3x1xi32>, tensor<3x2xf32>) -> tensor<5x2xf32>
      %18 = stablehlo.multiply %17, %17 : tensor<5x2xf32>
      %19 = stablehlo.reduce(%18 init: %3) applies stablehlo.add across dimensions = [0, 1] : (tensor<5x2xf32>, tensor<f32>) -> tensor<f32>
      %20 = stablehlo.multiply %13, %13 : tensor<3x2xf32>
      %21 = stablehlo.reduce(%20 init: %3) applies stablehlo.add across dimensions = [0, 1] : (tensor<3x2xf32>, tensor<f32>) -> tensor<f32>
      %22 = stablehlo.add %3, %19 : tensor<f32>
      %23 = stablehlo.add %22, %21 : tensor<f32>
      %24 = stablehlo.sqrt %23 : tensor<f32>
      %25 = stablehlo.is_finite %24 : (tensor<f32>) -> tensor<i1>
      %26 = stablehlo.is_finite %4 : (tensor<f32>) -> tensor<i1>
      %27 = stablehlo.and %25, %26 : tensor<i1>
      %28 = stablehlo.constant dense<0x3F800000> : tensor<f32>
      %29 = stablehlo.compare GT, %24, %28, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
      %30 = stablehlo.divide %28, %24 : tensor<f32>
      %31 = stablehlo.select %29, %30, %28 : tensor<i1>, tensor<f32>
      %32 = stablehlo.broadcast_in_dim %31, dims = [] : (tensor<f32>) -> tensor<5x2xf32>
      %33 = stablehlo.multiply %17, %32 : tensor<5x2xf32>
      %34 = stablehlo.constant dense<0x3F666666> : tensor<5x2xf32>
      %35 = stablehlo.multiply %arg2, %34 : tensor<5x2xf32>
      %36 = stablehlo.constant dense<0x3DCCCCCD> : tensor<5x2xf32>
      %37 = stablehlo.multiply %33, %36 : tensor<5x2xf32>
      %38 = stablehlo.add %35, %37 : tensor<5x2xf32>
      %39 = stablehlo.constant dense<0x3F7D70A4> : tensor<5x2xf32>
      %40 = stablehlo.multiply %arg3, %39 : tensor<5x2xf32>
      %41 = stablehlo.multiply %33, %33 : tensor<5x2xf32>
      %42 = stablehlo.constant dense<0x3C23D70A> : tensor<5x2xf32>
      %43 = stablehlo.multiply %41, %42 : tensor<5x2xf32>
      %44 = stablehlo.add %40, %43 : tensor<5x2xf32>
      %45 = stablehlo.sqrt %44 : tensor<5x2xf32>
      %46 = stablehlo.slice %f32 [1:2] : (tensor<4xf32>) -> tensor<1xf32>
      %47 = stablehlo.reshape %46 : (tensor<1xf32>) -> tensor<f32>
      %48 = stablehlo.broadcast_in_dim %47, dims = [] : (tensor<f32>) -> tensor<5x2xf32>
      %49 = stablehlo.multiply %45, %48 : tensor<5x2xf32>
      %50 = stablehlo.constant dense<0x322BCC77> : tensor<5x2xf32>
      %51 = stablehlo.add %49, %50 : tensor<5x2xf32>
      %52 = stablehlo.divide %38, %51 : tensor<5x2xf32>
      %53 = stablehlo.slice %f32 [2:3] : (tensor<4xf32>) -> tensor<1xf32>
      %54 = stablehlo.reshape %53 : (tensor<1xf32>) -> tensor<f32>
      %55 = stablehlo.broadcast_in_dim %54, dims = [] : (tensor<f32>) -> tensor<5x2xf32>
      %56 = stablehlo.multiply %52, %55 : tensor<5x2xf32>
      %57 = stablehlo.slice %f32 [3:4] : (tensor<4xf32>) -> tensor<1xf32>
      %58 = stablehlo.reshape %57 : (tensor<1xf32>) -> tensor<f32>
      %59 = stablehlo.constant dense<0x3DCCCCCD> : tensor<f32>
      %60 = stablehlo.multiply %58, %59 : tensor<f32>
      %61 = stablehlo.subtract %28, %60 : tensor<f32>
      %62 = stablehlo.broadcast_in_dim %61, dims = [] : (tensor<f32>) -> tensor<5x2xf32>
      %63 = stablehlo.multiply %arg0, %62 : tensor<5x2xf32>
      %64 = stablehlo.subtract %63, %56 : tensor<5x2xf32>
      %65 = stablehlo.broadcast_in_dim %27, dims = [] : (tensor<i1>) -> tensor<5x2xi1>
      %66 = stablehlo.select %65, %64, %arg0 : tensor<5x2xi1>, tensor<5x2xf32>
      %67 = stablehlo.broadcast_in_dim %27, dims = [] : (tensor<i1>) -> tensor<5x2xi1>
      %68 = stablehlo.select %67, %38, %arg2 : tensor<5x2xi1>, tensor<5x2xf32>
      %69 = stablehlo.broadcast_in_dim %27, dims = [] : (tensor<i1>) -> tensor<5x2xi1>
      %70 = stablehlo.select %69, %44, %arg3 : tensor<5x2xi1>, tensor<5x2xf32>
      %71 = stablehlo.broadcast_in_dim %31, dims = [] : (tensor<f32>) -> tensor<3x2xf32>
      %72 = stablehlo.multiply %13, %71 : tensor<3x2xf32>
      %73 = stablehlo.constant dense<0x3F666666> : tensor<3x2xf32>
      %74 = stablehlo.multiply %arg4, %73 : tensor<3x2xf32>
      %75 = stablehlo.constant dense<0x3DCCCCCD> : tensor<3x2xf32>
      %76 = stablehlo.multiply %72, %75 : tensor<3x2xf32>
      %77 = stablehlo.add %74, %76 : tensor<3x2xf32>
      %78 = stablehlo.constant dense<0x3F7D70A4> : tensor<3x2xf32>
      %79 = stablehlo.multiply %arg5, %78 : tensor<3x2xf32>
      %80 = stablehlo.multiply %72, %72 : tensor<3x2xf32>
      %81 = stablehlo.constant dense<0x3C23D70A> : tensor<3x2xf32>
      %82 = stablehlo.multiply %80, %81 : tensor<3x2xf32>
      %83 = stablehlo.add %79, %82 : tensor<3x2xf32>
      %84 = stablehlo.sqrt %83 : tensor<3x2xf32>
      %85 = stablehlo.broadcast_in_dim %47, dims = [] : (tensor<f32>) -> tensor<3x2xf32>
      %86 = stablehlo.multiply %84, %85 : tensor<3x2xf32>
      %87 = stablehlo.constant dense<0x322BCC77> : tensor<3x2xf32>
      %88 = stablehlo.add %86, %87 : tensor<3x2xf32>
      %89 = stablehlo.divide %77, %88 : tensor<3x2xf32>
      %90 = stablehlo.broadcast_in_dim %54, dims = [] : (tensor<f32>) -> tensor<3x2xf32>
      %91 = stablehlo.multiply %89, %90 : tensor<3x2xf32>
      %92 = stablehlo.multiply %58, %59 : tensor<f32>
      %93 = stablehlo.subtract %28, %92 : tensor<f32>
      %94 = stablehlo.broadcast_in_dim %93, dims = [] : (tensor<f32>) -> tensor<3x2xf32>
      %95 = stablehlo.multiply %arg1, %94 : tensor<3x2xf32>
      %96 = stablehlo.subtract %95, %91 : tensor<3x2xf32>
      %97 = stablehlo.broadcast_in_dim %27, dims = [] : (tensor<i1>) -> tensor<3x2xi1>
      %98 = stablehlo.select %97, %96, %arg1 : tensor<3x2xi1>, tensor<3x2xf32>
      %99 = stablehlo.broadcast_in_dim %27, dims = [] : (tensor<i1>) -> tensor<3x2xi1>
      %100 = stablehlo.select %99, %77, %arg4 : tensor<3x2xi1>, tensor<3x2xf32>
      %101 = stablehlo.broadcast_in_dim %27, dims = [] : (tensor<i1>) -> tensor<3x2xi1>
      %102 = stablehlo.select %101, %83, %arg5 : tensor<3x2xi1>, tensor<3x2xf32>
      return %4, %66, %68, %70, %98, %100, %102, %24 : tensor<f32>, tensor<5x2xf32>, tensor<5x2xf32>, tensor<5x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<f32>
      }
      }
      "
    `);
    dispose();
  });

  it("is compiled once for all steps of a shape, whatever ids and learning rate are", () => {
    const { step, dispose } = tinyTraining();
    step([1, 2, 3, 4]);
    step([0, 0, 4, 0], 0.01);
    step([2, 2, 2, 2], 0.001);
    expect([client.texts.length, client.calls.length]).toEqual([1, 3]);
    step([2, 2]);
    expect([client.texts.length, client.calls.length]).toEqual([2, 4]);
    dispose();
  });

  it("leaves no buffer and no tensor behind", () => {
    const before = [tf.memory().numTensors, client.liveBuffers];
    const { step, dispose } = tinyTraining();
    step([1, 2, 3]);
    const held = [tf.memory().numTensors, client.liveBuffers];
    for (let i = 0; i < 20; i++) step([i % 5, 2, 3]);
    expect([tf.memory().numTensors, client.liveBuffers]).toEqual(held);
    dispose();
    expect([tf.memory().numTensors, client.liveBuffers]).toEqual(before);
  });

  it("computes what is held and nothing else", () => {
    const x = tf.tensor1d([1, 2]);
    const [a, b] = [tf.mul(x, 2), tf.mul(x, 3)];
    b.dispose();
    a.dataSync();
    expect(client.texts.join().match(/stablehlo.multiply/g)).toHaveLength(1);
    tf.dispose([x, a]);
  });

  it("refuses to read a gradient that a step has used up", () => {
    const { gradients, optimizer, dispose } = tinyTraining();
    const { value, grads } = gradients([1, 2]);
    optimizer.step(grads, 0.1);
    expect(() => grads.get("map")!.dataSync()).toThrow(
      /failed_precondition.*gradient is read that an optimizer's step has used up/,
    );
    tf.dispose([value, ...grads.values()]);
    dispose();
  });

  it("keeps an array as it was when the tensor was made", () => {
    const numbers = Float32Array.of(1, 2);
    const x = tf.tensor1d(numbers);
    numbers.fill(9);
    expect([...x.dataSync()]).toEqual([1, 2]);
    x.dispose();
  });

  it("refuses types that it has no buffers for", () => {
    expect(() => tf.tensor1d(["a"])).toThrow('engine "xla" has no tensors of type string');
  });
});
