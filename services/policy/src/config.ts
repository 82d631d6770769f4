import { busFields, engineFields, loadServiceConfig, serverFields } from "@stagecraft/service-kit";
import { z } from "zod";

const own = {
  modelDir: z.string().min(1).describe("Model directory served until the first weights arrive"),
  name: z.string().min(1).default("policy").describe("Name that requests use"),
  weightsDir: z.string().min(1).describe("Directory of the weight store"),
  maxActive: z.int().min(1).max(4096).default(64).describe("Sequences in a decode step"),
  maxQueued: z.int().min(0).default(1024).describe("Sequences that may wait beyond those"),
  maxPrefillTokens: z.int().min(1).default(2048).describe("Prompt tokens read in one step"),
  startWaitMs: z
    .number()
    .min(0)
    .max(1000)
    .default(10)
    .describe("Longest wait for more requests before the first step after a rest, ms"),
  maxScoreTokens: z.int().min(1).default(8192).describe("Tokens of one pass of ScoreLogProbs"),
  maxItemsPerRequest: z.int().min(1).default(256).describe("Inputs of one request"),
};

/** Configuration of the policy service. */
export const policySchema = z.strictObject({
  ...own,
  ...serverFields(50051),
  ...busFields,
  ...engineFields,
});

/** `PolicyConfig` of the service's configuration. */
export type PolicyConfig = z.infer<typeof policySchema>;

/** See `loadServiceConfig`. */
export function loadPolicyConfig(args: readonly string[]): Promise<Readonly<PolicyConfig>> {
  return loadServiceConfig(policySchema, { service: "policy", args });
}
