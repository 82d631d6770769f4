/** Folders whose tests run on the engine xla. */
export const SUITES = ["libs/tensor/", "libs/model/", "libs/runs", "libs/learn", "libs/ppo"];

/**
 * Test files of those folders that are left out: file → why.
 * @type {Readonly<Record<string, string>>}
 */
export const LEFT_OUT = {
  "libs/tensor/src/engines/start.test.ts": "starts plain TFJS and sees other engines refused",
  "libs/tensor/src/engines/tensorflow/start.test.ts": "needs another engine to be absent",
  "libs/tensor/src/engines/xla/recording.test.ts": "records on a double of the plugin",
  "libs/tensor/src/engines/xla/device-cache.test.ts": "records on a double of the plugin",
  "libs/ppo/test/recorded-steps.test.ts": "records on a double of the plugin",
  "libs/tensor/src/engines/native/buffers.test.ts": "the native engine's memory",
  "libs/tensor/src/engines/native/decoder.test.ts": "the native engine's decoder",
  "libs/tensor/src/engines/native/engine.test.ts":
    "the native engine's memory, threads and instruction sets",
  "libs/tensor/src/engines/reference/optimizer.test.ts":
    "repeats a suite of this run on plain TFJS",
  "libs/tensor/test/tensorflow-engine.test.ts": "the tensorflow engine",
  "libs/model/test/cpu-engine.test.ts": "repeats suites of this run on plain TFJS",
  "libs/model/src/generation/bad-row-cpu.test.ts": "repeats a suite of this run on plain TFJS",
};
