import { beforeAll, describe, expect, it } from "vitest";
import { initEngine, numDevices } from "@stagecraft/tensor";
import { splitFor, splitRows } from "./split-rows.js";

beforeAll(() => initEngine({ numThreads: 1 }));

/** Three rows of two tokens. */
const batch = () => ({
  ...{ batchSize: 3, length: 2, numTargets: 4, ids: Int32Array.of(1, 2, 3, 4, 5, 6) },
  targets: Int32Array.of(2, -1, 4, 5, -1, 7),
  segments: Int32Array.of(1, 1, 1, 2, 1, 0),
  positions: Int32Array.of(0, 1, 0, 0, 0, 0),
});

describe("splitRows()", () => {
  it("gives each part as many rows, and fills the last up with padding that teaches nothing", () => {
    expect(splitRows(batch(), 2)).toEqual([
      {
        rows: Int32Array.of(0, 2, 3),
        ...{ batchSize: 2, length: 2, numTargets: 3, ids: Int32Array.of(1, 2, 3, 4) },
        targets: Int32Array.of(2, -1, 4, 5),
        segments: Int32Array.of(1, 1, 1, 2),
        positions: Int32Array.of(0, 1, 0, 0),
      },
      {
        rows: Int32Array.of(1, 0, 2), // of one target, but as many are read
        ...{ batchSize: 2, length: 2, numTargets: 1, ids: Int32Array.of(5, 6, 0, 0) },
        targets: Int32Array.of(-1, 7, -1, -1),
        segments: Int32Array.of(1, 0, 0, 0),
        positions: Int32Array.of(0, 0, 0, 0),
      },
    ]);
  });

  it("gives each of as many parts as rows one", () => {
    expect(splitRows(batch(), 3).map(({ ids }) => [...ids])).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
  });
});

describe("parts whose rows all have a target", () => {
  it("name no rows", () => {
    const whole = { ...batch(), targets: new Int32Array(6).fill(1) };
    expect(splitRows(whole, 3).map(({ rows }) => rows)).toEqual([undefined, undefined, undefined]);
  });

  it("name them where another part has padding", () => {
    const whole = { ...batch(), targets: new Int32Array(6).fill(1) };
    expect(splitRows(whole, 2).map(({ rows }) => rows)).toEqual([
      Int32Array.of(0, 1, 2, 3),
      Int32Array.of(0, 1, 2, 3),
    ]);
  });
});

describe("splitFor()", () => {
  it("leaves batches whole for one device", () => {
    expect(splitFor({ devices: 1, batchSize: 8 })).toBeUndefined();
  });

  it("refuses more devices than the engine has, by both names", () => {
    const wanted = numDevices() + 1;
    expect(() => splitFor({ devices: wanted, batchSize: 8 })).toThrow(
      new RegExp(
        `failed_precondition.*devices is ${wanted}, and the engine "\\w+" has ${numDevices()} here`,
      ),
    );
  });
});
