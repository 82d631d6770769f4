import { rankByReference } from "../stages/rank-stage.js";
import type { LoopConfig } from "./loop-config.js";
import type { LoopRanker, RankerDefinition } from "./ranker-definition.js";

/** The ranker that the configuration names; undefined = people, through files or the service. */
export function rankerFor(
  config: LoopConfig,
  registered: readonly RankerDefinition[],
): LoopRanker | undefined {
  const definition = registered.find(({ name }) => name === config.ranker);
  if (definition) return definition.create(config);
  return config.ranker === "reference"
    ? (set) => rankByReference(set, { addReference: false })
    : undefined;
}
