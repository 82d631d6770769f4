/** Folders whose tests run on an engine of their own, tensorflow or xla. */
export const SUITES = ["libs/tensor/", "libs/model/", "libs/runs", "libs/learn", "libs/ppo"];

/**
 * Test files of those folders that are about another engine than the one of the run: file → why it is left out.
 * @type {Readonly<Record<string, string>>}
 */
export const OTHER_ENGINES = {
  "libs/tensor/src/engines/start.test.ts": "starts plain TFJS and sees other engines refused",
  "libs/tensor/src/engines/tensorflow/start.test.ts": "needs other engines to be absent",
  "libs/tensor/src/engines/xla/start.test.ts": "starts a double of a PJRT plugin",
  "libs/tensor/src/engines/xla/recording.test.ts": "records on a double of a PJRT plugin",
  "libs/tensor/src/engines/xla/device-cache.test.ts": "records on a double of a PJRT plugin",
  "libs/tensor/src/engines/xla/across-devices.test.ts": "records on a double of a PJRT plugin",
  "libs/tensor/src/engines/xla/cudnn-attention.test.ts": "records on a double of a PJRT plugin",
  "libs/learn/test/devices.test.ts": "records on a double of a PJRT plugin",
  "libs/tensor/src/engines/native/buffers.test.ts": "the native engine's memory",
  "libs/tensor/src/engines/native/decoder.test.ts": "the native engine's decoder",
  "libs/tensor/src/engines/native/engine.test.ts":
    "the native engine's memory, threads and instruction sets",
  "libs/tensor/src/engines/reference/optimizer.test.ts":
    "repeats a suite of this run on plain TFJS",
  "libs/model/test/cpu-engine.test.ts": "repeats suites of this run on plain TFJS",
  "libs/model/src/generation/bad-row-cpu.test.ts": "repeats a suite of this run on plain TFJS",
};

/**
 * Test files that are left out of `npm run test:tensorflow`.
 * @type {Readonly<Record<string, string>>}
 */
export const LEFT_OUT = {
  ...OTHER_ENGINES,
  "libs/ppo/test/recorded-steps.test.ts": "counts the programs of the engine xla",
};
