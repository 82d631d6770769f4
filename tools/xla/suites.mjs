import { OTHER_ENGINES, SUITES } from "../tensorflow/suites.mjs";

export { SUITES };

/**
 * Test files of those folders that are left out of `npm run test:xla`: file → why.
 * @type {Readonly<Record<string, string>>}
 */
export const LEFT_OUT = {
  ...OTHER_ENGINES,
  "libs/tensor/test/tensorflow-engine.test.ts": "the tensorflow engine",
  "libs/tensor/src/engines/xla/start.test.ts": "starts a double of a PJRT plugin",
};
