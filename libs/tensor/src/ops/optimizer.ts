import { currentEngine } from "../engines/current.js";
import type { Optimizer, OptimizerConfig } from "../engines/optimizer.js";
import type { Params } from "../gradients.js";

/** An optimizer over `params`, which stay the caller's; its moments start at zero, beside them. */
export function createOptimizer(params: Params, config: OptimizerConfig): Optimizer {
  return currentEngine().createOptimizer(params, config);
}
