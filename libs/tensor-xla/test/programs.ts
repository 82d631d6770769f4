import { openPjrt, type PjrtClient, type PjrtOptions } from "@stagecraft/tensor-xla";

/** The plugin that the tests run on. */
export function openTestPlugin(options: PjrtOptions = {}): PjrtClient {
  const plugin = process.env.XLA_PLUGIN;
  if (plugin === undefined) throw new Error("XLA_PLUGIN names no plugin: run `npm run test:xla`");
  return openPjrt(plugin, options);
}

/** w ← w + b (w is donated), and the sum of the new w. */
export const STEP = `module @step {
  func.func public @main(%w: tensor<2x3xf32> {tf.aliasing_output = 0 : i32}, %b: tensor<3xf32>)
      -> (tensor<2x3xf32>, tensor<f32>) {
    %rows = stablehlo.broadcast_in_dim %b, dims = [1] : (tensor<3xf32>) -> tensor<2x3xf32>
    %new = stablehlo.add %w, %rows : tensor<2x3xf32>
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %sum = stablehlo.reduce(%new init: %zero) applies stablehlo.add across dimensions = [0, 1]
        : (tensor<2x3xf32>, tensor<f32>) -> tensor<f32>
    return %new, %sum : tensor<2x3xf32>, tensor<f32>
  }
}`;

/** One MLIR type through unchanged, to see that its bits survive. */
export const identityOf = (type: string): string =>
  `module @same { func.func public @main(%x: ${type}) -> ${type} { return %x : ${type} } }`;

/** The sum over two devices. */
export const ALL_REDUCE = `module @sum attributes {mhlo.num_replicas = 2 : i32, mhlo.num_partitions = 1 : i32} {
  func.func public @main(%a: tensor<4xf32>) -> tensor<4xf32> {
    %0 = "stablehlo.all_reduce"(%a) <{replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>,
        channel_handle = #stablehlo.channel_handle<handle = 1, type = 0>}> ({
      ^bb0(%l: tensor<f32>, %r: tensor<f32>):
        %s = stablehlo.add %l, %r : tensor<f32>
        stablehlo.return %s : tensor<f32>
    }) : (tensor<4xf32>) -> tensor<4xf32>
    return %0 : tensor<4xf32>
  }
}`;
