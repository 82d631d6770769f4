import { existsSync } from "node:fs";
import { join } from "node:path";
import { signDirectory, type Signer } from "@stagecraft/checkpoint";
import type { TrainerStage } from "./trainer-stage.js";

/** The stage, whose finished model is signed before the run counts as succeeded. */
export function signingStage(stage: TrainerStage, signer: Signer | undefined): TrainerStage {
  if (!signer) return stage;
  return {
    ...stage,
    async run(config, context) {
      const result = await stage.run(config, context);
      const model = join(context.runDir, "model");
      if (existsSync(model)) await signDirectory(model, signer);
      return result;
    },
  };
}
