import type { ParsedWeights } from "@stagecraft/contracts";

/** The weights that were in use lately, by version. */
export interface VersionLog {
  readonly latest: ParsedWeights;
  add(weights: ParsedWeights): void;
  get(version: number): ParsedWeights | undefined;
}

/** Past versions whose hashes can still be named. */
const KEPT_VERSIONS = 256;

/** Starts with version 0, the model directory's weights. */
export function createVersionLog(): VersionLog {
  let latest: ParsedWeights = { version: 0, sha256: "", step: 0 };
  const versions = new Map([[0, latest]]);
  return {
    get latest() {
      return latest;
    },
    add(weights) {
      latest = weights;
      versions.set(weights.version, weights);
      const [oldest] = versions.keys();
      if (versions.size > KEPT_VERSIONS) versions.delete(oldest!);
    },
    get: (version) => versions.get(version),
  };
}
