import { FinishReason } from "../gen/stagecraft/common/v1/common.js";
import { invalidField } from "./check.js";

/** Why a sequence ended, as the libraries spell it. */
export type FinishReasonName = "eos" | "stop" | "length";

const REASONS: Readonly<Record<FinishReasonName, FinishReason>> = {
  eos: FinishReason.EOS,
  stop: FinishReason.STOP,
  length: FinishReason.LENGTH,
};

/** The wire value of a reason. */
export function finishReasonOf(name: FinishReasonName): FinishReason {
  return REASONS[name];
}

/** The name of a wire value; unknown and unset values throw. */
export function finishReasonName(reason: FinishReason, field: string): FinishReasonName {
  for (const name of ["eos", "stop", "length"] as const) {
    if (REASONS[name] === reason) return name;
  }
  throw invalidField(field, reason, "EOS, STOP or LENGTH");
}
