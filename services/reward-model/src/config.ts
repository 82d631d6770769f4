import { bringModelsFields, modelBrokerFields, modelStoreFields } from "@stagecraft/model-store";
import { loadServiceConfig, serverFields } from "@stagecraft/service-kit";
import { decimal, engineFields, texts, whole } from "@stagecraft/fields";
import { z } from "zod";

const own = {
  models: z
    .array(z.string().regex(/^[^=]+=.+$/, "name=directory"))
    .min(1)
    .describe(
      "Models as name=directory, or name=s3://BUCKET/NAME, name=nats://NAME; the first is the default",
    ),
  verifyKeys: texts([]).describe(
    "PEM public keys; models without a signature by one of them are refused",
  ),
  maxBatch: whole({ min: 1, max: 4096, default: 32 }).describe("Items in one forward pass"),
  maxWaitMs: decimal({ max: 1000, default: 2 }).describe("Wait of an item for company, ms"),
  maxQueued: whole({ min: 1, default: 4096 }).describe("Items that may wait"),
  maxItemsPerRequest: whole({ min: 1, default: 1024 }).describe("Items of one ScoreBatch"),
  stuckAfterMs: whole({ min: 1000, default: 30_000 }).describe(
    "Silence of the scoring thread after which health is NOT_SERVING, ms",
  ),
};

/** Configuration of the reward-model service. */
export const rewardModelSchema = z.strictObject({
  ...own,
  ...serverFields(50052),
  ...engineFields,
  ...modelStoreFields,
  ...bringModelsFields,
  ...modelBrokerFields,
});

/** `RewardModelConfig` of the service's configuration. */
export type RewardModelConfig = z.infer<typeof rewardModelSchema>;

/** See `loadServiceConfig`. */
export function loadRewardModelConfig(
  args: readonly string[],
): Promise<Readonly<RewardModelConfig>> {
  return loadServiceConfig(rewardModelSchema, { service: "reward-model", args });
}
