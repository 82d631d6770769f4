import { OTHER_ENGINES, SUITES as COMMON } from "../tensorflow/suites.mjs";

/** Tests that need a plugin that computes, of what services ask of the engine: no other run takes them. */
export const ON_A_PLUGIN = "{libs,services}/*/{src,test}/**/*.xla-test.ts";

/** What `npm run test:xla` runs on the engine. */
export const SUITES = [...COMMON, ".xla-test.ts"];

/**
 * Test files of those folders that are left out of `npm run test:xla`: file → why.
 * @type {Readonly<Record<string, string>>}
 */
export const LEFT_OUT = {
  ...OTHER_ENGINES,
  "libs/tensor/test/tensorflow-engine.test.ts": "the tensorflow engine",
  "libs/ppo/src/batch/layout.test.ts": "layouts worked by hand, of engines that take every size",
};
