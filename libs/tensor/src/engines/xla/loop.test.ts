import { createRecordingClient } from "@stagecraft/testing";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { XlaBackend } from "./backend.js";
import { binary, compare } from "./hlo.js";
import { loop } from "./loop.js";
import { writeProgram } from "./program.js";
import { startOn } from "./start.js";
import { splat } from "./value.js";

const client = createRecordingClient();
let backend: XlaBackend;
beforeAll(async () => {
  await startOn(client);
  backend = new XlaBackend(client);
});
beforeEach(() => {
  client.texts.length = 0;
});

const one = splat([], "i32", 1);
const add = (a: Parameters<typeof binary>[1], b: Parameters<typeof binary>[2]) =>
  binary("add", a, b);

describe("loop()", () => {
  it("is a while whose turns hold what depends on them alone, and read the rest from around", () => {
    const [most, step] = [Int32Array.of(3), Int32Array.of(2)].map((array) =>
      backend.input(array, []),
    );
    const outside = () => add(step!, step!); // made within the turn, of nothing that it carries
    const [turn, sum] = loop([splat([], "i32", 0), splat([], "i32", 7)], {
      condition: ([turn]) => compare("LT", turn!, most!),
      next: ([turn, sum]) => [add(turn!, one), add(sum!, outside())],
    });
    expect(writeProgram([add(sum!, turn!)], () => false).text).toMatchInlineSnapshot(`
      "module @stagecraft {
      func.func public @main(%i32: tensor<2xi32>) -> (tensor<i32>) {
      %0 = stablehlo.slice %i32 [0:1] : (tensor<2xi32>) -> tensor<1xi32>
      %1 = stablehlo.reshape %0 : (tensor<1xi32>) -> tensor<i32>
      %2 = stablehlo.add %1, %1 : tensor<i32>
      %3 = stablehlo.slice %i32 [1:2] : (tensor<2xi32>) -> tensor<1xi32>
      %4 = stablehlo.reshape %3 : (tensor<1xi32>) -> tensor<i32>
      %5 = stablehlo.constant dense<0> : tensor<i32>
      %6 = stablehlo.constant dense<7> : tensor<i32>
      %7:2 = stablehlo.while(%turn0_0 = %5, %turn0_1 = %6) : tensor<i32>, tensor<i32>
      cond {
      %8 = stablehlo.compare LT, %turn0_0, %4, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %8 : tensor<i1>
      } do {
      %9 = stablehlo.constant dense<1> : tensor<i32>
      %10 = stablehlo.add %turn0_0, %9 : tensor<i32>
      %11 = stablehlo.add %turn0_1, %2 : tensor<i32>
      stablehlo.return %10, %11 : tensor<i32>, tensor<i32>
      }
      %12 = stablehlo.add %7#1, %7#0 : tensor<i32>
      return %12 : tensor<i32>
      }
      }
      "
    `);
  });

  it("nests: an inner loop may read what the outer one carries, and names end with their turn", () => {
    const result = loop([splat([], "i32", 0), splat([], "i32", 0)], {
      condition: ([turn]) => compare("LT", turn!, splat([], "i32", 4)),
      next: ([turn, sum]) => {
        const [inner] = loop([sum!, splat([], "i32", 0)], {
          condition: ([, i]) => compare("LT", i!, turn!),
          next: ([value, i]) => [add(value!, turn!), add(i!, one)],
        });
        return [add(turn!, one), inner!];
      },
    });
    const { text } = writeProgram([result[1]!], () => false);
    expect(text.match(/stablehlo\.while/g)).toHaveLength(2);
    const defined = [...text.matchAll(/^(%\d+)(?::\d+)? = /gm)].map(([, name]) => name);
    expect(new Set(defined).size).toBe(defined.length);
  });
});
