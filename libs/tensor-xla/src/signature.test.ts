import { describe, expect, it } from "vitest";
import { readArguments } from "./signature.js";

const module = (args: string) =>
  `module @m {\n  func.func private @f(%x: tensor<9xf32>) -> tensor<9xf32> { return %x : tensor<9xf32> }\n` +
  `  func.func public @main(${args}) -> (tensor<1xf32>) {\n    %c = stablehlo.constant dense<0.0> : tensor<7xf32>\n`;

describe("readArguments()", () => {
  it("reads every argument of main, with attributes of any kind between them", () => {
    const args =
      '%arg0: tensor<f32> {tf.aliasing_output = 0 : i32}, %x.1: tensor<2x30xbf16> {mhlo.sharding = "{(0)}"}, ' +
      "%2 : tensor<0x4xi1>";
    expect(readArguments(module(args))).toEqual([
      { dtype: "f32", shape: [] },
      { dtype: "bf16", shape: [2, 30] },
      { dtype: "pred", shape: [0, 4] },
    ]);
    expect(readArguments(module(""))).toEqual([]);
  });

  for (const [what, text, message] of [
    ["without main", "module @m {}", "it has no function @main(…)"],
    [
      "that is cut off",
      "func.func public @main(%a: tensor<f32>",
      "the arguments of @main end nowhere",
    ],
    ["with a type that is not carried", module("%a: tensor<2xcomplex>"), "%a: tensor<2xcomplex>"],
  ] as const) {
    it(`refuses text ${what}`, () => {
      expect(() => readArguments(text)).toThrow(message);
    });
  }
});
