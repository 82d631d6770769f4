/** What `devices` does to a stage, on a double of a plugin with two of them, which computes nothing. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeJsonl } from "@stagecraft/data";
import { silentReporter, type StageDefinition } from "@stagecraft/runs";
import { initEngine } from "@stagecraft/tensor";
import { createRecordingClient } from "@stagecraft/testing";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { pretrainStage } from "../src/stages/pretrain.js";
import { sftStage } from "../src/stages/sft.js";
import { writeTinyModel } from "./tiny-model.js";

const client = createRecordingClient({ numDevices: 2 });
vi.mock("@stagecraft/tensor-xla", async () => {
  const { recordingPlugin } = await import("@stagecraft/testing");
  return { ...recordingPlugin, openPjrt: () => client };
});

let dir: string;
beforeAll(async () => {
  await initEngine({ engine: "xla" });
  dir = await mkdtemp(join(tmpdir(), "stagecraft-devices-"));
  await writeTinyModel(join(dir, "base"));
  await writeFile(join(dir, "text.txt"), "the cat sat on the mat. ".repeat(40));
  const messages = [
    { role: "user" as const, content: "say yes" },
    { role: "assistant" as const, content: "yes" },
  ];
  await writeJsonl(
    join(dir, "answers.jsonl"),
    Array.from({ length: 8 }, () => ({ messages })),
  );
});
afterAll(() => rm(dir, { recursive: true, force: true }));
beforeEach(() => void (client.texts.length = 0));

async function train<C>(stage: StageDefinition<C>, config: object) {
  const own = { batchSize: 3, evalEvery: 0, checkpointEvery: 0, validationFraction: 0.2 };
  return stage.run(stage.schema.parse({ ...own, ...config }) as C, {
    runDir: join(dir, `run-${Math.random()}`),
    resume: false,
    signal: new AbortController().signal,
    reporter: silentReporter(),
  });
}

const pretrain = (more: object) =>
  train(pretrainStage, {
    ...{ corpus: [join(dir, "text.txt")], tokenizerKind: "chars", steps: 2 },
    ...{ numLayers: 1, numHeads: 2, hiddenSize: 16, contextLength: 16, ...more },
  });
const sft = (more: object) =>
  train(sftStage, {
    model: join(dir, "base"),
    data: [join(dir, "answers.jsonl")],
    epochs: 1,
    ...more,
  });

/** Programs for two devices among those compiled since the test began. */
const numOnTwo = () => client.texts.filter((text) => text.includes("num_replicas = 2")).length;

for (const [name, run] of Object.entries({ pretrain, sft })) {
  describe(`devices of ${name}`, () => {
    it("split every step's batch over that many, 0 = over all", async () => {
      const two = await run({ devices: 2 });
      expect(numOnTwo()).toBe(1);
      const all = await run({ devices: 0, batchSize: 6 });
      expect(numOnTwo()).toBe(2); // of other sizes
      expect([two, all].map(({ metrics }) => metrics["devices"])).toEqual([2, 2]);
    });

    it("are one unless more are asked for", async () => {
      const { metrics } = await run({ batchSize: 4 });
      expect(metrics).not.toHaveProperty("devices");
      expect(client.texts.length).toBeGreaterThan(0);
      expect(numOnTwo()).toBe(0);
    });

    it("are refused by name where the plugin has fewer, and where some would have no row", async () => {
      await expect(run({ devices: 3 })).rejects.toThrow('devices is 3, and the engine "xla" has 2');
      await expect(run({ devices: 2, batchSize: 1 })).rejects.toThrow(
        "batchSize 1 leaves some of 2 devices without a sequence",
      );
      expect(client.texts).toEqual([]);
    });

    it("contradict an engine that has one, and a smaller batch, before any work", async () => {
      const wanted = { devices: 3, batchSize: 2, engine: "native" };
      await expect(run(wanted)).rejects.toThrow(
        "batchSize 2 leaves some of 3 devices without a sequence: raise it, or lower devices; " +
          "devices is 3, and the engine native has one: only xla has several",
      );
    });
  });
}
