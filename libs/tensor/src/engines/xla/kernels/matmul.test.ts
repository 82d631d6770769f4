import { describe, expect, it } from "vitest";
import { writeProgram } from "../program.js";
import { Value } from "../value.js";
import { matMul } from "./matmul.js";

const matrix = (rows: number, columns: number) =>
  new Value([rows, columns], "f32", { kind: "host", array: new Float32Array(rows * columns) });

const textOf = (products: "f32" | "bf16") => {
  const options = { transposeA: false, transposeB: true, products };
  return writeProgram([matMul(matrix(2, 3), matrix(4, 3), options)], () => false).text;
};

describe("matMul()", () => {
  it("asks for whole f32 products, which XLA would shorten to tf32 on a GPU", () => {
    expect(textOf("f32")).toContain(
      "contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>",
    );
  });

  it("by option rounds the factors to bf16 and sums in f32", () => {
    const text = textOf("bf16");
    expect(text.match(/stablehlo.convert .* -> tensor<\dx3xbf16>/g)).toHaveLength(2);
    expect(text).toContain(
      "contracting_dims = [1] x [1] : (tensor<2x3xbf16>, tensor<4x3xbf16>) -> tensor<2x4xf32>",
    );
  });
});
