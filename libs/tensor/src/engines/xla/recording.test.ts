import { createRecordingClient } from "@stagecraft/testing";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { valueAndGrads } from "../../gradients.js";
import { tf } from "../../tf.js";
import { createTensors } from "../../testing/random.js";
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
      const hidden = tf.tanh(tf.add(picked, tf.fill([3], 1)));
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
      %8 = stablehlo.broadcast_in_dim %7, dims = [0, 1] : (tensor<1x1xf32>) -> tensor<3x3xf32>
      %9 = stablehlo.dot_general %8, %arg1, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<3x3xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
      %10 = stablehlo.dot_general %8, %1, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<3x3xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
      %11 = stablehlo.constant dense<0x00000000> : tensor<5x2xf32>
      %12 = stablehlo.slice %i32 [3:6] : (tensor<6xi32>) -> tensor<3xi32>
      %13 = stablehlo.reshape %12 : (tensor<3xi32>) -> tensor<3x1xi32>
      %14 = "stablehlo.scatter"(%11, %13, %9) <{indices_are_sorted = false, scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>, unique_indices = false}> ({ ^bb0(%l: tensor<f32>, %r: tensor<f32>): %s = stablehlo.add %l, %r : tensor<f32> stablehlo.return %s : tensor<f32> }) : (tensor<5x2xf32>, tensor<3x1xi32>, tensor<3x2xf32>) -> tensor<5x2xf32>
      %15 = stablehlo.multiply %14, %14 : tensor<5x2xf32>
      %16 = stablehlo.reduce(%15 init: %3) applies stablehlo.add across dimensions = [0, 1] : (tensor<5x2xf32>, tensor<f32>) -> tensor<f32>
      %17 = stablehlo.multiply %10, %10 : tensor<3x2xf32>
      %18 = stablehlo.reduce(%17 init: %3) applies stablehlo.add across dimensions = [0, 1] : (tensor<3x2xf32>, tensor<f32>) -> tensor<f32>
      %19 = stablehlo.add %3, %16 : tensor<f32>
      %20 = stablehlo.add %19, %18 : tensor<f32>
      %21 = stablehlo.sqrt %20 : tensor<f32>
      %22 = stablehlo.is_finite %21 : (tensor<f32>) -> tensor<i1>
      %23 = stablehlo.is_finite %4 : (tensor<f32>) -> tensor<i1>
      %24 = stablehlo.and %22, %23 : tensor<i1>
      %25 = stablehlo.constant dense<0x3F800000> : tensor<f32>
      %26 = stablehlo.compare GT, %21, %25, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
      %27 = stablehlo.divide %25, %21 : tensor<f32>
      %28 = stablehlo.select %26, %27, %25 : tensor<i1>, tensor<f32>
      %29 = stablehlo.broadcast_in_dim %28, dims = [] : (tensor<f32>) -> tensor<5x2xf32>
      %30 = stablehlo.multiply %14, %29 : tensor<5x2xf32>
      %31 = stablehlo.constant dense<0x3F666666> : tensor<5x2xf32>
      %32 = stablehlo.multiply %arg2, %31 : tensor<5x2xf32>
      %33 = stablehlo.constant dense<0x3DCCCCCD> : tensor<5x2xf32>
      %34 = stablehlo.multiply %30, %33 : tensor<5x2xf32>
      %35 = stablehlo.add %32, %34 : tensor<5x2xf32>
      %36 = stablehlo.constant dense<0x3F7D70A4> : tensor<5x2xf32>
      %37 = stablehlo.multiply %arg3, %36 : tensor<5x2xf32>
      %38 = stablehlo.multiply %30, %30 : tensor<5x2xf32>
      %39 = stablehlo.constant dense<0x3C23D70A> : tensor<5x2xf32>
      %40 = stablehlo.multiply %38, %39 : tensor<5x2xf32>
      %41 = stablehlo.add %37, %40 : tensor<5x2xf32>
      %42 = stablehlo.sqrt %41 : tensor<5x2xf32>
      %43 = stablehlo.slice %f32 [1:2] : (tensor<4xf32>) -> tensor<1xf32>
      %44 = stablehlo.reshape %43 : (tensor<1xf32>) -> tensor<f32>
      %45 = stablehlo.broadcast_in_dim %44, dims = [] : (tensor<f32>) -> tensor<5x2xf32>
      %46 = stablehlo.multiply %42, %45 : tensor<5x2xf32>
      %47 = stablehlo.constant dense<0x322BCC77> : tensor<5x2xf32>
      %48 = stablehlo.add %46, %47 : tensor<5x2xf32>
      %49 = stablehlo.divide %35, %48 : tensor<5x2xf32>
      %50 = stablehlo.slice %f32 [2:3] : (tensor<4xf32>) -> tensor<1xf32>
      %51 = stablehlo.reshape %50 : (tensor<1xf32>) -> tensor<f32>
      %52 = stablehlo.broadcast_in_dim %51, dims = [] : (tensor<f32>) -> tensor<5x2xf32>
      %53 = stablehlo.multiply %49, %52 : tensor<5x2xf32>
      %54 = stablehlo.slice %f32 [3:4] : (tensor<4xf32>) -> tensor<1xf32>
      %55 = stablehlo.reshape %54 : (tensor<1xf32>) -> tensor<f32>
      %56 = stablehlo.constant dense<0x3DCCCCCD> : tensor<f32>
      %57 = stablehlo.multiply %55, %56 : tensor<f32>
      %58 = stablehlo.subtract %25, %57 : tensor<f32>
      %59 = stablehlo.broadcast_in_dim %58, dims = [] : (tensor<f32>) -> tensor<5x2xf32>
      %60 = stablehlo.multiply %arg0, %59 : tensor<5x2xf32>
      %61 = stablehlo.subtract %60, %53 : tensor<5x2xf32>
      %62 = stablehlo.broadcast_in_dim %24, dims = [] : (tensor<i1>) -> tensor<5x2xi1>
      %63 = stablehlo.select %62, %61, %arg0 : tensor<5x2xi1>, tensor<5x2xf32>
      %64 = stablehlo.broadcast_in_dim %24, dims = [] : (tensor<i1>) -> tensor<5x2xi1>
      %65 = stablehlo.select %64, %35, %arg2 : tensor<5x2xi1>, tensor<5x2xf32>
      %66 = stablehlo.broadcast_in_dim %24, dims = [] : (tensor<i1>) -> tensor<5x2xi1>
      %67 = stablehlo.select %66, %41, %arg3 : tensor<5x2xi1>, tensor<5x2xf32>
      %68 = stablehlo.broadcast_in_dim %28, dims = [] : (tensor<f32>) -> tensor<3x2xf32>
      %69 = stablehlo.multiply %10, %68 : tensor<3x2xf32>
      %70 = stablehlo.constant dense<0x3F666666> : tensor<3x2xf32>
      %71 = stablehlo.multiply %arg4, %70 : tensor<3x2xf32>
      %72 = stablehlo.constant dense<0x3DCCCCCD> : tensor<3x2xf32>
      %73 = stablehlo.multiply %69, %72 : tensor<3x2xf32>
      %74 = stablehlo.add %71, %73 : tensor<3x2xf32>
      %75 = stablehlo.constant dense<0x3F7D70A4> : tensor<3x2xf32>
      %76 = stablehlo.multiply %arg5, %75 : tensor<3x2xf32>
      %77 = stablehlo.multiply %69, %69 : tensor<3x2xf32>
      %78 = stablehlo.constant dense<0x3C23D70A> : tensor<3x2xf32>
      %79 = stablehlo.multiply %77, %78 : tensor<3x2xf32>
      %80 = stablehlo.add %76, %79 : tensor<3x2xf32>
      %81 = stablehlo.sqrt %80 : tensor<3x2xf32>
      %82 = stablehlo.broadcast_in_dim %44, dims = [] : (tensor<f32>) -> tensor<3x2xf32>
      %83 = stablehlo.multiply %81, %82 : tensor<3x2xf32>
      %84 = stablehlo.constant dense<0x322BCC77> : tensor<3x2xf32>
      %85 = stablehlo.add %83, %84 : tensor<3x2xf32>
      %86 = stablehlo.divide %74, %85 : tensor<3x2xf32>
      %87 = stablehlo.broadcast_in_dim %51, dims = [] : (tensor<f32>) -> tensor<3x2xf32>
      %88 = stablehlo.multiply %86, %87 : tensor<3x2xf32>
      %89 = stablehlo.multiply %55, %56 : tensor<f32>
      %90 = stablehlo.subtract %25, %89 : tensor<f32>
      %91 = stablehlo.broadcast_in_dim %90, dims = [] : (tensor<f32>) -> tensor<3x2xf32>
      %92 = stablehlo.multiply %arg1, %91 : tensor<3x2xf32>
      %93 = stablehlo.subtract %92, %88 : tensor<3x2xf32>
      %94 = stablehlo.broadcast_in_dim %24, dims = [] : (tensor<i1>) -> tensor<3x2xi1>
      %95 = stablehlo.select %94, %93, %arg1 : tensor<3x2xi1>, tensor<3x2xf32>
      %96 = stablehlo.broadcast_in_dim %24, dims = [] : (tensor<i1>) -> tensor<3x2xi1>
      %97 = stablehlo.select %96, %74, %arg4 : tensor<3x2xi1>, tensor<3x2xf32>
      %98 = stablehlo.broadcast_in_dim %24, dims = [] : (tensor<i1>) -> tensor<3x2xi1>
      %99 = stablehlo.select %98, %80, %arg5 : tensor<3x2xi1>, tensor<3x2xf32>
      return %4, %63, %65, %67, %95, %97, %99, %21 : tensor<f32>, tensor<5x2xf32>, tensor<5x2xf32>, tensor<5x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<f32>
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
