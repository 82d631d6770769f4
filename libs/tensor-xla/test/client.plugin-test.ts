import type { PjrtArray, PjrtClient, PjrtDtype } from "@stagecraft/tensor-xla";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ALL_REDUCE, identityOf, openTestPlugin, STEP } from "./programs.js";

let client: PjrtClient;
beforeAll(() => void (client = openTestPlugin({ createOptions: { cpu_device_count: 2 } })));
afterAll(() => client.close());

const weights = () => client.upload(Float32Array.of(1, 2, 3, 4, 5, 6), "f32", [2, 3]);
const bias = () => client.upload(Float32Array.of(1, 1, 1), "f32", [3]);

describe("a client", () => {
  it("tells its platform, versions and devices", () => {
    expect(client.platform).toBe("cpu");
    expect(client.version).toMatch(/\(PJRT 0\.\d+\)$/);
    expect(client.devices).toEqual([
      { id: 0, kind: "cpu", description: "CpuDevice(id=0)" },
      { id: 1, kind: "cpu", description: "CpuDevice(id=1)" },
    ]);
  });

  const values: readonly [PjrtDtype, string, PjrtArray][] = [
    ["pred", "i1", Uint8Array.of(0, 1, 1)],
    ["s8", "i8", Int8Array.of(-128, 0, 127)],
    ["s16", "i16", Int16Array.of(-32768, 0, 32767)],
    ["s32", "i32", Int32Array.of(-(2 ** 31), 0, 2 ** 31 - 1)],
    ["s64", "i64", BigInt64Array.of(-(2n ** 63n), 0n, 2n ** 63n - 1n)],
    ["u8", "ui8", Uint8Array.of(0, 128, 255)],
    ["u16", "ui16", Uint16Array.of(0, 1, 65535)],
    ["u32", "ui32", Uint32Array.of(0, 1, 2 ** 32 - 1)],
    ["u64", "ui64", BigUint64Array.of(0n, 1n, 2n ** 64n - 1n)],
    ["f16", "f16", Uint16Array.of(0x3c00, 0x8000, 0x7c00)],
    ["bf16", "bf16", Uint16Array.of(0x3f80, 0x8000, 0x7f80)],
    ["f32", "f32", Float32Array.of(1.5, -0, Infinity)],
    ["f64", "f64", Float64Array.of(Math.PI, -0, -Infinity)],
  ];
  for (const [dtype, mlir, data] of values) {
    it(`carries ${dtype} there, through a program and back`, async () => {
      const sent = client.upload(data, dtype, [1, 3]);
      const [same] = client.compile(identityOf(`tensor<1x3x${mlir}>`)).execute([sent]);
      expect([same?.dtype, same?.shape, same?.device]).toEqual([dtype, [1, 3], 0]);
      expect(same?.readSync()).toEqual(data);
      expect(await same?.read()).toEqual(data);
      sent.free();
      same?.free();
    });
  }

  it("carries scalars and arrays without elements", () => {
    expect(client.upload(Float32Array.of(7), "f32", []).readSync()).toEqual(Float32Array.of(7));
    const empty = client.upload(new Float32Array(0), "f32", [0, 4]);
    expect([empty.shape, empty.readSync()]).toEqual([[0, 4], new Float32Array(0)]);
  });

  it("refuses by name an array that does not fit its type or shape", () => {
    expect(() => client.upload(new Int32Array(3), "f32", [3])).toThrow(
      "cannot upload f32[3]: it needs a Float32Array, not a Int32Array",
    );
    expect(() => client.upload(new Float32Array(3), "f32", [2, 2])).toThrow(
      "cannot upload f32[2,2]: the array has 3 elements, not 4",
    );
    expect(() => client.upload(new Float32Array(3), "f32", [-3])).toThrow("not negative");
    expect(() => client.upload(new Float32Array(3), "f32", [3], 2)).toThrow("no device 2");
    expect(() => client.upload(new Float32Array(3), "f8" as never, [3])).toThrow("unknown type");
  });

  it("says what the compiler says of text that is wrong", () => {
    expect(() => client.compile(STEP.replace("stablehlo.add %w", "stablehlo.ad %w"))).toThrow(
      /cannot compile a program: .*'stablehlo\.ad' is unknown/s,
    );
  });
});

describe("a program", () => {
  it("runs, again and again, on what it gave before", async () => {
    const program = client.compile(STEP);
    expect([program.numOutputs, program.numReplicas, program.fromCache]).toEqual([2, 1, false]);
    const [once, sum] = program.execute([weights(), bias()]);
    expect([once?.readSync(), await sum?.read()]).toEqual([
      Float32Array.of(2, 3, 4, 5, 6, 7),
      Float32Array.of(27),
    ]);
    const [twice] = program.execute([once!, bias()]);
    expect(twice?.readSync()).toEqual(Float32Array.of(3, 4, 5, 6, 7, 8));
  });

  it("refuses a donated buffer wherever it is used again", async () => {
    const program = client.compile(STEP);
    const [w, b] = [weights(), bias()];
    program.execute([w, b]);
    expect([w.isDeleted, b.isDeleted]).toEqual([true, false]);
    const why = "[failed_precondition] a buffer f32[2,3] was donated to a program";
    expect(() => program.execute([w, b])).toThrow(why);
    expect(() => w.readSync()).toThrow(why);
    await expect(w.read()).rejects.toThrow(why);
    w.free(); // does nothing
    expect(b.readSync()).toEqual(Float32Array.of(1, 1, 1));
  });

  it("refuses a freed buffer, and is refused when it is freed itself", () => {
    const program = client.compile(STEP);
    const [w, b] = [weights(), bias()];
    b.free();
    b.free();
    expect(() => program.execute([w, b])).toThrow(
      "a buffer f32[3] was freed: it cannot be argument 1 of a program",
    );
    expect(w.isDeleted).toBe(false);
    program.free();
    expect(() => program.execute([w, bias()])).toThrow("the program was freed");
  });

  it("refuses arguments of another number, type or shape, and another client's", () => {
    const program = client.compile(STEP);
    const [w, b] = [weights(), bias()];
    expect(() => program.execute([w])).toThrow("it takes 2 arguments, not 1");
    expect(() => program.execute([w, w])).toThrow("argument 1 is f32[2,3], not f32[3]");
    const integers = client.upload(new Int32Array(6), "s32", [2, 3]);
    expect(() => program.execute([integers, b])).toThrow("argument 0 is s32[2,3], not f32[2,3]");
    const other = openTestPlugin();
    const foreign = other.upload(new Float32Array(3), "f32", [3]);
    expect(() => program.execute([w, foreign])).toThrow("another client's");
    other.close();
    expect(w.isDeleted).toBe(false);
  });

  it("reduces over two devices", () => {
    const program = client.compile(ALL_REDUCE, { numReplicas: 2 });
    const args = [0, 1].map((id) => [
      client.upload(Float32Array.of(id, 10, 20, 30), "f32", [4], id),
    ]);
    const outputs = program.executeReplicas(args);
    expect(outputs.map(([sum]) => [sum?.device, sum?.readSync()])).toEqual([
      [0, Float32Array.of(1, 20, 40, 60)],
      [1, Float32Array.of(1, 20, 40, 60)],
    ]);
    expect(() => program.execute([args[0]![0]!])).toThrow("it runs on 2 devices");
    expect(() => client.compile(ALL_REDUCE, { numReplicas: 3 })).toThrow("numReplicas is 3");
  });
});

describe("memory", () => {
  it("stays flat over 500 executions, with a read every fifth", async () => {
    const program = client.compile(STEP);
    const b = bias();
    let w = weights();
    const bytes = () => client.memoryStats()?.bytesInUse;
    const held = bytes();
    const live = new Set<number>();
    for (let step = 0; step < 500; step++) {
      const [next, sum] = program.execute([w, b]);
      if (step % 5 === 0) await sum?.read();
      sum?.free();
      w = next!;
      live.add(client.liveBuffers);
    }
    expect(w.readSync()).toEqual(Float32Array.of(501, 502, 503, 504, 505, 506));
    expect([...live]).toHaveLength(1);
    // The plugin lets go of what it worked with in threads of its own.
    await expect.poll(bytes).toBe(held);
  });

  it("counts what is held, and gives it back", () => {
    const before = client.memoryStats()!.bytesInUse;
    const big = client.upload(new Float32Array(1_000_000), "f32", [1_000_000]);
    expect(client.memoryStats()!.bytesInUse - before).toBe(4_000_000);
    big.free();
    expect(client.memoryStats()!.bytesInUse).toBe(before);
  });
});

describe("close()", () => {
  it("frees everything, lets a read that is under way end, and refuses what is left", async () => {
    const closing = openTestPlugin();
    const buffer = closing.upload(Float32Array.of(4, 2), "f32", [2]);
    const program = closing.compile(identityOf("tensor<2xf32>"));
    const [output] = program.execute([buffer]);
    const reading = output?.read();
    closing.close();
    closing.close();
    expect(await reading).toEqual(Float32Array.of(4, 2));
    expect(buffer.isDeleted).toBe(true);
    expect(closing.liveBuffers).toBe(0);
    expect(() => program.execute([buffer])).toThrow("failed_precondition");
    expect(() => closing.compile(STEP)).toThrow("the client is closed");
    expect(() => closing.upload(new Float32Array(1), "f32", [1])).toThrow("the client is closed");
  });
});
