import { createRecordingClient } from "@stagecraft/testing";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { tf } from "../../tf.js";
import { createTensors } from "../../testing/random.js";
import type { DecoderWeights, StepSampling } from "../decoder.js";
import type { Engine } from "../engine.js";
import type { XlaBackend } from "./backend.js";
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

const [V, D, H, F] = [11, 8, 2, 12];

function tinyWeights(): DecoderWeights {
  const t = createTensors(3);
  const norm = () => ({ weight: t.vector(D, 0.1, 1) });
  const linear = (rows: number, columns: number) => ({ weight: t.matrix(rows, columns) });
  const layer = () => ({
    attention: {
      norm: norm(),
      ...{ q: linear(D, D), k: linear(D, D), v: linear(D, D), o: linear(D, D) },
    },
    mlp: { norm: norm(), up: linear(F, D), down: linear(D, F) },
    rope: { frequencies: Float64Array.of(1, 0.1) },
  });
  return {
    embedding: t.matrix(V, D),
    layers: [layer(), layer()],
    finalNorm: norm(),
    lm: t.matrix(V, D),
    attentionOptions: { numHeads: H, numKvHeads: H, norm: "rms", normEps: 1e-6 },
    mlpOptions: { norm: "rms", normEps: 1e-6, activation: "silu" },
  };
}

const numRecorded = () => (tf.backend() as XlaBackend).device.counters.recorded;

/** Arguments of a program that are tables. */
const tableArgs = (text: string, shape: string) =>
  /@main\((.*)\) -> /
    .exec(text)![1]!
    .split(/, (?=%)/)
    .filter((arg) => arg.includes(`tensor<${shape}xf32>`));

const row = (slot: number, numTokens: number) => ({ slot, ids: new Int32Array(numTokens).fill(1) });

describe("a decode session on the engine xla", () => {
  it("compiles one program for all single tokens, whatever slots they are in and however many", async () => {
    const decoder = engine.createDecoder(tinyWeights(), { maxSequences: 8, maxLength: 64 });
    await decoder.append([row(0, 3), row(1, 4), row(5, 3)]);
    const forPrompts = client.texts.length;
    for (let i = 0; i < 20; i++) {
      const slots = i % 2 === 0 ? [0, 1, 5] : [5, 0, 1, 2, 7];
      await decoder.append(slots.map((slot) => row(slot, 1)));
    }
    expect([forPrompts, client.texts.length - forPrompts]).toEqual([1, 1]);
    decoder.dispose();
  });

  it("overwrites its tables in place: every table of a call is donated to one of its outputs", async () => {
    const decoder = engine.createDecoder(tinyWeights(), { maxSequences: 12, maxLength: 64 });
    await decoder.append([row(0, 1)]);
    const before = client.liveBuffers;
    for (let i = 0; i < 5; i++) await decoder.append([row(0, 1)]);
    expect(client.liveBuffers).toBe(before);
    const tables = tableArgs(client.texts.at(-1)!, `12x${H}x128x${D / H}`);
    expect(tables).toHaveLength(2 * 2);
    for (const table of tables) expect(table).toMatch(/tf\.aliasing_output = \d+/);
    decoder.dispose();
  });

  it("copies a slot by a program of its own, which serves every pair of slots", async () => {
    const decoder = engine.createDecoder(tinyWeights(), { maxSequences: 4, maxLength: 64 });
    await decoder.append([row(0, 2), row(3, 2)]);
    await decoder.append([row(0, 1)]);
    const before = client.texts.length;
    decoder.fork(0, 1, 3);
    decoder.fork(3, 2, 2);
    await decoder.append([row(1, 1)]);
    expect(client.texts.length - before).toBe(1);
    decoder.dispose();
  });

  const sampling = (numRows: number, numTokens: number) => ({
    temperatures: new Float32Array(numRows).fill(1),
    uniforms: new Float32Array(numRows * numTokens).fill(0.5),
    numTokens,
  });

  it("draws any number of tokens of every row in one call, of one program, which is recorded once", () => {
    const decoder = engine.createDecoder(tinyWeights(), { maxSequences: 16, maxLength: 64 });
    decoder.step!([row(0, 3), row(1, 3), row(3, 3)], sampling(3, 1));
    const [loop] = client.texts.slice(-1);
    const [texts, calls, recorded] = [client.texts.length, client.calls.length, numRecorded()];
    for (let i = 0; i < 5; i++) {
      decoder.step!([row(3, 1), row(1, 1), row(0, 1)], sampling(3, 1 + i));
    }
    expect([client.texts.length - texts, client.calls.length - calls]).toEqual([0, 5]);
    expect(numRecorded() - recorded).toBe(0);
    expect(loop).toContain("stablehlo.while");
    const tables = tableArgs(loop!, `16x${H}x128x${D / H}`);
    expect(tables).toHaveLength(2 * 2);
    for (const table of tables) expect(table).toMatch(/tf\.aliasing_output = \d+/);
    decoder.dispose();
  });

  it("records a step anew when its weights are others", () => {
    const weights = tinyWeights();
    const decoder = engine.createDecoder(weights, { maxSequences: 1, maxLength: 64 });
    decoder.step!([row(0, 1)], sampling(1, 1));
    decoder.step!([row(0, 1)], sampling(1, 1));
    const before = numRecorded();
    Object.assign(weights, { lm: tinyWeights().lm });
    decoder.refreshWeights();
    decoder.step!([row(0, 1)], sampling(1, 1));
    expect(numRecorded() - before).toBe(1);
    decoder.dispose();
  });

  it("goes on with the step that it has recorded after prompts, single tokens and forks", async () => {
    const decoder = engine.createDecoder(tinyWeights(), { maxSequences: 4, maxLength: 64 });
    const rows = [row(0, 1), row(3, 1)];
    decoder.step!(rows, sampling(2, 1));
    const before = numRecorded();
    const others: (() => unknown)[] = [
      () => decoder.append([row(0, 1), row(1, 1)]),
      () => decoder.append([row(2, 5), row(3, 2)]),
      () => decoder.fork(0, 1, 1),
      () => decoder.step!([row(0, 4), row(2, 3)], sampling(2, 1)),
      () => decoder.reset(3),
    ];
    for (const other of others) {
      await other();
      decoder.step!(rows, sampling(2, 1));
    }
    expect(numRecorded() - before).toBe(0);
    decoder.dispose();
  });

  it("leaves no buffer and no tensor behind after a step", () => {
    const decoder = engine.createDecoder(tinyWeights(), { maxSequences: 2, maxLength: 64 });
    const rows = [row(0, 1), row(1, 1)];
    decoder.step!(rows, sampling(2, 2));
    const before = [tf.memory().numTensors, client.liveBuffers];
    for (let i = 0; i < 5; i++) decoder.step!(rows, sampling(2, 2));
    expect([tf.memory().numTensors, client.liveBuffers]).toEqual(before);
    decoder.dispose();
  });

  it("refuses limits that cannot be, as the native engine does", () => {
    const decoder = engine.createDecoder(tinyWeights(), { maxSequences: 2, maxLength: 8 });
    const step =
      (more: object, numTokens = 4) =>
      () =>
        decoder.step!([row(0, 6)], { ...sampling(1, numTokens), ...more });
    expect(step({})).toThrow("slot 0 has room to draw 3 tokens, got a limit of 4");
    expect(step({ limits: Int32Array.of(0) })).toThrow("limits[0] is 0, outside 1 … 4");
    const filters = [{ topK: 0, topP: 1, minP: 0, repetitionPenalty: 2, history: [1] }];
    expect(step({ filters }, 2)).toThrow("its limit must be 1");
    decoder.dispose();
  });

  it("refuses arrays that do not fit the rows, as the native engine does", () => {
    const decoder = engine.createDecoder(tinyWeights(), { maxSequences: 2, maxLength: 64 });
    const rows = [row(0, 1), row(1, 1)];
    const filter = { topK: 0, topP: 1, minP: 0, repetitionPenalty: 2, history: [1] };
    const bad: [string, Partial<StepSampling>][] = [
      ["temperatures has 1 values, expected 2", { temperatures: Float32Array.of(1) }],
      ["uniforms has 3 values, expected [2, 2] = 4", { uniforms: new Float32Array(3) }],
      ["uniforms has 5 values, expected [2, 2] = 4", { uniforms: new Float32Array(5) }],
      ["limits has 1 values, expected 2", { limits: Int32Array.of(1) }],
      ["eosIds has 3 values, expected 2", { eosIds: new Int32Array(3) }],
      ["filters has 1 values, expected 2", { filters: [undefined] }],
      [
        "history[1] is 11, outside 0 … 10",
        { filters: [undefined, { ...filter, history: [0, V] }] },
      ],
      ["the filters of row 0 are out of range", { filters: [{ ...filter, topP: 0 }, undefined] }],
      ["the filters of row 0 are out of range", { filters: [{ ...filter, minP: NaN }, undefined] }],
    ];
    for (const [message, more] of bad) {
      const how = { ...sampling(2, 2), limits: Int32Array.of(1, 1), ...more };
      expect(() => decoder.step!(rows, how), message).toThrow(
        `[invalid_argument] step: ${message}`,
      );
    }
    expect(() => decoder.step!(rows, { ...sampling(2, 1), numTokens: 0 })).toThrow(
      "numTokens is 0",
    );
    expect(decoder.step!(rows, sampling(2, 2)).counts).toHaveLength(2); // nothing was read
    decoder.dispose();
  });

  it("compiles the same few programs for sessions of all sizes: no shape follows a prompt", async () => {
    const weights = tinyWeights();
    const seen = [113, 88, 87, 40].map(async (maxLength, session) => {
      const decoder = engine.createDecoder(weights, { maxSequences: 25 + session, maxLength });
      for (let i = 1; i < 30; i++) {
        decoder.step!([row(i % 16, 1 + (i % 3) * 9)], sampling(1, 1 + (i % 3)));
        decoder.reset(i % 16);
      }
      decoder.dispose();
    });
    await Promise.all(seen);
    const [steps, reads] = [true, false].map((isStep) => {
      const texts = client.texts.filter((text) => text.includes("stablehlo.while") === isStep);
      return new Set(texts).size;
    });
    expect({ steps, reads }).toEqual({ steps: 1, reads: 1 });
  });

  it("draws under filters by one program, with a penalty and without", () => {
    const decoder = engine.createDecoder(tinyWeights(), { maxSequences: 4, maxLength: 64 });
    for (const repetitionPenalty of [1, 1.5]) {
      const filter = { topK: 3, topP: 1, minP: 0, repetitionPenalty, history: [1, 2] };
      decoder.step!([row(0, 1)], { ...sampling(1, 1), filters: [filter] });
    }
    expect(client.texts).toHaveLength(1);
    decoder.dispose();
  });

  const LARGE = 100_000; // above it tables grow

  it("makes room by doubling where the whole is large, and leaks nothing", async () => {
    const weights = tinyWeights();
    const counts = () => [tf.memory().numTensors, client.liveBuffers];
    const session = async () => {
      const decoder = engine.createDecoder(weights, { maxSequences: 3, maxLength: LARGE });
      await decoder.append([row(0, 60)]);
      await decoder.append([row(0, 100), row(2, 1)]);
      await decoder.append([row(0, 100), row(2, 1)]);
      expect(
        client.calls.at(-1)!.filter((type) => type === `f32[4,${H},512,${D / H}]`),
      ).toHaveLength(4);
      decoder.dispose();
      return counts();
    };
    const numTensors = tf.memory().numTensors;
    const after = await session(); // a table of angles stays on the device
    expect(after[0]).toBe(numTensors);
    expect(await session()).toEqual(after);
  });

  it("rounds rows of large tables up to powers of four, and draws single tokens without a loop", () => {
    const decoder = engine.createDecoder(tinyWeights(), { maxSequences: 20, maxLength: LARGE });
    const rows = Array.from({ length: 20 }, (_, slot) => row(slot, 1));
    decoder.step!(rows, sampling(20, 1));
    for (let count = 1; count < 20; count++)
      decoder.step!(rows.slice(0, count), sampling(count, 1));
    expect(client.texts).toHaveLength(4); // of 1, 4, 16 and all 24 rows
    for (const text of client.texts) expect(text).not.toContain("stablehlo.while");
    decoder.dispose();
  });
});
