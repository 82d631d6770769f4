import { addLora, type Model } from "@stagecraft/model";
import { decimal, whole } from "@stagecraft/fields";
import { z } from "zod";

/** Low-rank adapters in the place of all weights, for every stage that goes on from a model. */
export function loraFields(what: string) {
  return {
    loraRank: whole({ max: 1024, default: 0 }).describe(
      `Rank of LoRA adapters on ${what}; 0 = all weights are trained`,
    ),
    loraAlpha: decimal({ above: 0, default: 16 }).describe(
      "Adapters are scaled by loraAlpha/loraRank",
    ),
    loraTargets: z
      .array(z.enum(["q", "k", "v", "o", "gate", "up", "down"]))
      .min(1)
      .default(["q", "k", "v", "o", "gate", "up", "down"])
      .describe("Linear maps of every block that get an adapter"),
  };
}

export type LoraConfig = z.infer<z.ZodObject<ReturnType<typeof loraFields>>>;

/**
 * The model with adapters where the configuration asks for them, otherwise as it is; it belongs to the
 * result, and is disposed when adapters are refused.
 */
export function withLora(base: Model, config: LoraConfig, seed: number): Model {
  const { loraRank: rank, loraAlpha: alpha, loraTargets: targets } = config;
  if (rank === 0) return base;
  try {
    return addLora(base, { rank, alpha, targets, seed });
  } catch (thrown) {
    base.dispose();
    throw thrown;
  }
}
