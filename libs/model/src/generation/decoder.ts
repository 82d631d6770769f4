import { StagecraftError } from "@stagecraft/core";
import {
  createDecoder as createSession,
  type Decoder,
  type DecoderOptions,
} from "@stagecraft/tensor";
import type { Model } from "../model.js";

/**
 * A decoder over the model's weights on the running engine. Throws `failed_precondition` when there is no lm
 * head, `invalid_argument` for sequences longer than the model's maxPositions.
 */
export function createDecoder(model: Model, options: DecoderOptions): Decoder {
  const { maxPositions } = model.config;
  const { lm } = model.weights;
  if (!lm) {
    throw new StagecraftError("failed_precondition", "the model has no lm head to generate with");
  }
  if (options.maxLength > maxPositions) {
    throw new StagecraftError(
      "invalid_argument",
      `maxLength ${options.maxLength} is beyond the model's ${maxPositions} positions`,
    );
  }
  return createSession({ ...model.weights, lm }, options);
}
