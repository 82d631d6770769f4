import { beforeAll, describe, expect, it } from "vitest";
import { initEngine, tf } from "@stagecraft/tensor";
import { createEma } from "./ema.js";

beforeAll(() => initEngine({ numThreads: 1 }));

describe("createEma()", () => {
  it("moves a share of the way to the weights, and goes on exactly from a copy", () => {
    const weight = tf.variable(tf.tensor2d([[1, 2]]));
    const params = new Map([["w", weight]]);
    const ema = createEma(params, 0.75);
    weight.assign(tf.tensor2d([[5, -2]]));
    ema.update();
    expect([...(ema.tensors("ema/").get("ema/w")!.data as Float32Array)]).toEqual([2, 1]);
    const copy = createEma(params, 0.75);
    copy.load(ema.tensors("ema/"), "ema/");
    [ema, copy].forEach((each) => each.update());
    expect(copy.tensors()).toEqual(ema.tensors());
    expect(() => ema.load(new Map())).toThrow("[data_loss] the checkpoint's w has no values");
    weight.dispose();
  });
});
