import { describe, expect, it } from "vitest";
import { crc32c, fileVersion, recordEnds, summaryEvent } from "./event-file.js";
import { scalarsOf } from "./scalars.js";

describe("event files", () => {
  it("have the checksum of RFC 3720", () => {
    expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  });

  it("hold what an Event with one simple value is on the wire", () => {
    const event = summaryEvent({ step: 300, values: [["a", 1.5]] }, 2);
    const data = event.subarray(12, -4).toString("hex");
    // wall_time = 2.0, step = 300, summary { value { tag: "a" simple_value: 1.5 } }
    expect(data).toBe("090000000000000040" + "10ac02" + "2a0a" + "0a08" + "0a0161" + "150000c03f");
    expect(event.readBigUInt64LE(0)).toBe(BigInt(data.length / 2));
  });

  it("are read up to the last whole record, wherever they are cut or damaged", () => {
    const parts = [fileVersion(1), summaryEvent({ step: 1, values: [["x", 1]] }, 2)];
    const whole = Buffer.concat(parts);
    const first = parts[0]!.length;
    expect(recordEnds(whole)).toEqual([first, whole.length]);
    for (let length = first; length < whole.length; length++) {
      expect(recordEnds(whole.subarray(0, length))).toEqual([first]);
      const damaged = Buffer.from(whole);
      damaged[length]! ^= 1;
      expect(recordEnds(damaged)).toEqual([first]);
    }
  });
});

describe("scalarsOf()", () => {
  it("names figures by kind and field, and leaves out what is none", () => {
    const record = {
      ...{ stage: "ppo", kind: "update", update: 7, score: 1, note: "x", list: [1] },
      ...{ nothing: null, inner: { kl: 2 }, promoted: true },
    };
    expect(scalarsOf(record, 0)).toEqual({
      step: 7,
      values: [
        ["update/score", 1],
        ["update/inner/kl", 2],
        ["update/promoted", 1],
      ],
    });
    expect(scalarsOf({ loss: 1 }, 4)).toEqual({ step: 4, values: [["metrics/loss", 1]] });
  });
});
