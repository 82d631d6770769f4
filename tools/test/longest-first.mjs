import { BaseSequencer } from "vitest/node";

/**
 * Files of more than 20 s on two cores, the longest first. Vitest knows no durations in a fresh clone, and one of
 * these that is begun late is waited for at the end, alone. Measured: docs/log.md.
 */
export const LONGEST = [
  "libs/faults/test/faults.test.ts",
  "libs/cli/test/demo.test.ts",
  "libs/cli/test/cluster.test.ts",
  "deploy/test/schemas.test.ts",
  "deploy/test/secure.test.ts",
  "libs/cli/test/loop-on-cluster.test.ts",
  "libs/tensor/src/engines/native/layers.test.ts",
  "libs/pipeline/src/loop/loop.test.ts",
  "libs/cli/test/cases/store-registry.test.ts",
  "services/gateway/test/routes.integration.test.ts",
];

/** The longest files first, the others in vitest's own order. */
export class LongestFirst extends BaseSequencer {
  /**
   * @override
   * @param {Parameters<BaseSequencer["sort"]>[0]} files
   */
  async sort(files) {
    const sorted = await super.sort(files);
    return sorted.sort((a, b) => placeOf(a.moduleId) - placeOf(b.moduleId));
  }
}

/** @param {string} moduleId */
function placeOf(moduleId) {
  const at = LONGEST.findIndex((file) => moduleId.endsWith(`/${file}`));
  return at === -1 ? LONGEST.length : at;
}
