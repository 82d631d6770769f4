import { createRandom, StagecraftError } from "@stagecraft/core";
import { describe, expect, it } from "vitest";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.js";
import { f32, type TensorEntry } from "./tensor-entry.js";

const sample = new Map<string, TensorEntry>([
  ["a.weight", f32([2, 3], Float32Array.of(1, -2, 3.5, NaN, Infinity, -0))],
  ["scalar", f32([], Float32Array.of(7))],
  ["empty", f32([0, 4], new Float32Array(0))],
  ["ids", { dtype: "I32", shape: [3], data: Int32Array.of(-1, 0, 2 ** 31 - 1) }],
  ["big", { dtype: "I64", shape: [1], data: BigInt64Array.of(-(2n ** 62n)) }],
  ["mask", { dtype: "U8", shape: [3], data: Uint8Array.of(0, 1, 255) }],
  ["half", { dtype: "F16", shape: [3], data: Float32Array.of(0.5, -65504, 2 ** -24) }],
  ["brain", { dtype: "BF16", shape: [2], data: Float32Array.of(1.5, -(2 ** 100)) }],
]);

/** An image with the given header and data, well formed or not. */
function image(header: unknown, dataBytes: number): Uint8Array {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([prefix, json, Buffer.alloc(dataBytes)]);
}

const tensor = (begin: number, end: number, shape = [(end - begin) / 4], dtype = "F32") => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

describe("safetensors", () => {
  it("round-trips every dtype, shape and bit", () => {
    const { tensors, metadata } = decodeSafetensors(encodeSafetensors(sample, { format: "pt" }));
    expect(new Map([...tensors].sort())).toEqual(new Map([...sample].sort()));
    expect(metadata).toEqual({ format: "pt" });
  });

  it("gives the same bytes whatever the order of insertion", () => {
    const reversed = new Map([...sample].reverse());
    expect(encodeSafetensors(reversed)).toEqual(encodeSafetensors(sample));
  });

  it("copies out of a pooled buffer at an odd offset", () => {
    const bytes = encodeSafetensors(sample);
    const pool = Buffer.alloc(bytes.length + 3);
    pool.set(bytes, 3);
    const { tensors } = decodeSafetensors(pool.subarray(3));
    pool.fill(0xff);
    expect(tensors.get("a.weight")).toEqual(sample.get("a.weight"));
    expect(tensors.get("mask")).toEqual(sample.get("mask"));
  });

  it("reads BOOL as bytes and space-padded headers", () => {
    const header = `${JSON.stringify({ m: tensor(0, 4, [4], "BOOL") })}     `;
    expect(decodeSafetensors(image(header, 4)).tensors.get("m")?.dtype).toBe("U8");
  });

  const malformed: [string, Uint8Array, RegExp][] = [
    ["an empty file", new Uint8Array(0), /not a safetensors file/],
    ["a text file", Buffer.from("First Citizen: before we proceed"), /not a safetensors file/],
    ["a header that is an array", image("[]", 0), /not a safetensors file/],
    ["a header that is not JSON", image("{abc}", 0), /not valid JSON/],
    ["a header that is not UTF-8", image('{"a"', 0).fill(0xff, 10), /not valid JSON/],
    ["a header longer than the file", image({}, 0).fill(200, 0, 1), /truncated/],
    ["a header beyond 100 MB", Buffer.from("ffffffff00000000", "hex"), /limit 100000000/],
    ["a length of 2^64 - 1", Buffer.alloc(64, 0xff), /not a safetensors file/],
    ["a missing tail", image({ a: tensor(0, 8) }, 7), /truncated/],
    ["bytes after the last tensor", image({ a: tensor(0, 8) }, 9), /after the last tensor/],
    ["a hole", image({ a: tensor(0, 8), b: tensor(12, 16) }, 16), /hole/],
    ["a hole at the start", image({ a: tensor(4, 8) }, 8), /hole/],
    ["an overlap", image({ a: tensor(0, 8), b: tensor(4, 12) }, 12), /overlaps/],
    ["two names for the same bytes", image({ a: tensor(0, 8), b: tensor(0, 8) }, 8), /overlaps/],
    ["a size that is not shape × dtype", image({ a: tensor(0, 8, [3]) }, 8), /needs 12 bytes/],
    ["reversed offsets", image({ a: tensor(8, 0, [2]) }, 8), /needs 8 bytes/],
    ["a negative dimension", image({ a: tensor(0, 8, [-2]) }, 8), /bad shape/],
    ["a fractional dimension", image({ a: tensor(0, 8, [0.5, 4]) }, 8), /bad shape/],
    ["a shape that overflows", image({ a: tensor(0, 8, [2 ** 40, 2 ** 40]) }, 8), /needs/],
    ["offsets of text", image({ a: { ...tensor(0, 8), data_offsets: ["0", "8"] } }, 8), /offsets/],
    ["one offset", image({ a: { ...tensor(0, 8), data_offsets: [8] } }, 8), /data_offsets/],
    ["a tensor that is null", image({ a: null }, 0), /no description/],
    ["an unknown dtype", image({ a: tensor(0, 8, [1], "F64") }, 8), /F64.*supported/],
    ["metadata that is not text", image({ __metadata__: { a: 1 } }, 0), /__metadata__/],
  ];
  for (const [what, bytes, message] of malformed) {
    it(`refuses ${what}, naming the file`, () => {
      expect(() => decodeSafetensors(bytes, "m.safetensors")).toThrow(message);
      expect(() => decodeSafetensors(bytes, "m.safetensors")).toThrow(/m\.safetensors/);
    });
  }

  it("survives every flipped header bit, every truncation and random bytes", () => {
    const bytes = encodeSafetensors(sample);
    const headerBytes = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
    const attempt = (mutant: Uint8Array) => {
      try {
        return decodeSafetensors(mutant, "mutant");
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(StagecraftError);
        return undefined;
      }
    };
    for (let bit = 0; bit < headerBytes * 8; bit++) {
      const mutant = bytes.slice();
      mutant[bit >> 3]! ^= 1 << (bit & 7);
      attempt(mutant);
    }
    for (let length = 0; length < bytes.length; length++) {
      expect(attempt(bytes.subarray(0, length)), `cut at ${length}`).toBeUndefined();
    }
    const random = createRandom("garbage");
    for (let i = 0; i < 200; i++) {
      attempt(Uint8Array.from({ length: random.nextInt(200) }, () => random.nextInt(256)));
    }
  });

  it("refuses entries whose data do not fill the shape or are of the wrong class", () => {
    expect(() => f32([2, 2], new Float32Array(3))).toThrow("needs 4 values, got 3");
    const wrong = { dtype: "I32", shape: [1], data: new Float32Array(1) } as const;
    expect(() => encodeSafetensors(new Map([["x", wrong]]))).toThrow("needs a Int32Array");
  });
});
