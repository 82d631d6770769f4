import type { reward } from "@stagecraft/contracts";
import type { Cancellation } from "@stagecraft/rpc";
import type { ServedModel } from "./model-set.js";

/** Scores one item with a served model. */
export type ScoreOne = (
  item: reward.ScoreInput | undefined,
  options: ScoreOptions,
) => Promise<reward.Score>;

export interface ScoreOptions {
  served: ServedModel;
  truncation: reward.TruncationPolicy;
  field: string;
  cancellation: Cancellation;
}
