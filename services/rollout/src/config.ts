import { callFields, loadServiceConfig, serverFields } from "@stagecraft/service-kit";
import { busFields, text, whole } from "@stagecraft/fields";
import { z } from "zod";
import type { RewardSource } from "./open-service.js";

const own = {
  workerId: text("").describe("Name in events and logs; empty = host and process id"),
  policyAddress: text("127.0.0.1:50051").describe("Policy servers"),
  rewardAddress: text("127.0.0.1:50052").describe("Reward-model servers"),
  rewardModels: z
    .array(z.string().regex(/^[^=]*=-?[0-9.]+$/, "name=weight"))
    .default(["=1"])
    .describe(
      "Reward models as name=weight; no name = the server's default, weight 0 = only logged",
    ),
  concurrency: whole({ min: 1, max: 4096, default: 64 }).describe("Tasks in flight at once"),
  generateTimeoutMs: whole({ min: 1, default: 120_000 }).describe(
    "For one answer, waiting included, ms",
  ),
  scoreTimeoutMs: whole({ min: 1, default: 30_000 }).describe("For one score, ms"),
  connectTimeoutMs: whole({ min: 1, default: 60_000 }).describe(
    "For the policy server to be up, ms",
  ),
};

/** Configuration of the rollout service. */
export const rolloutSchema = z.strictObject({
  ...own,
  ...callFields,
  ...serverFields(50053),
  ...busFields,
});

/** `RolloutConfig` of the service's configuration. */
export type RolloutConfig = z.infer<typeof rolloutSchema>;

/** See `loadServiceConfig`. */
export function loadRolloutConfig(args: readonly string[]): Promise<Readonly<RolloutConfig>> {
  return loadServiceConfig(rolloutSchema, { service: "rollout", args });
}

/** The reward sources that `rewardModels` names. */
export function rewardSources(config: RolloutConfig): RewardSource[] {
  return config.rewardModels.map((text) => {
    const at = text.lastIndexOf("=");
    const weight = Number(text.slice(at + 1));
    return { address: config.rewardAddress, model: text.slice(0, at), weight };
  });
}
