import { StagecraftError } from "@stagecraft/core";

/** The error for what the engine cannot record: nothing is computed on the host instead. */
export function unsupported(operation: string): StagecraftError {
  return new StagecraftError(
    "unimplemented",
    `engine "xla" has no kernel for ${operation}: use another engine (--engine native or cpu), or add the kernel to libs/tensor/src/engines/xla/kernels`,
  );
}
