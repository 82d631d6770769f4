import { loadServiceConfig, serverFields } from "@stagecraft/service-kit";
import { bringModelsFields, modelStoreFields } from "@stagecraft/model-store";
import {
  busFields,
  decimal,
  engineFields,
  engineSettings,
  text,
  texts,
  whole,
} from "@stagecraft/fields";
import { z } from "zod";
import type { ThreadedEngineOptions } from "./thread-client.js";

/** What tokens of a stream wait for each other without being asked. */
export const STREAM_INTERVAL_MS = 20;

const own = {
  modelDir: text().describe(
    "Model served until the first weights arrive: a directory, s3://BUCKET/NAME or nats://NAME",
  ),
  name: text("policy").describe("Name that requests use"),
  weightsDir: text().describe(
    'Directory of the weight store, or "nats:" for the object store of the bus',
  ),
  verifyKeys: texts([]).describe(
    "PEM public keys; weights and models without a signature by one of them are refused",
  ),
  maxActive: whole({ min: 1, max: 4096, default: 64 }).describe("Sequences in a decode step"),
  maxQueued: whole({ default: 1024 }).describe("Sequences that may wait beyond those"),
  maxQueuedTokens: whole({ default: 1_000_000 }).describe(
    "Tokens, prompts and longest answers, of the sequences that wait",
  ),
  kvCacheBytes: whole({ default: 0 }).describe(
    "Memory for keys and values; 0 = what maxActive of the longest sequences take",
  ),
  maxPrefillTokens: whole({ min: 1, default: 2048 }).describe("Prompt tokens read in one step"),
  startWaitMs: decimal({ max: 1000, default: 10 }).describe(
    "Longest wait for more requests before the first step after a rest, ms",
  ),
  streamIntervalMs: decimal({ max: 1000, default: STREAM_INTERVAL_MS }).describe(
    "Least time between messages of a stream but its first and last, ms; 0 = every token at once",
  ),
  maxScoreTokens: whole({ min: 1, default: 8192 }).describe("Tokens of one pass of ScoreLogProbs"),
  maxItemsPerRequest: whole({ min: 1, default: 256 }).describe("Inputs of one request"),
  stuckAfterMs: whole({ min: 1000, default: 30_000 }).describe(
    "Silence of the engine's thread after which health is NOT_SERVING, ms",
  ),
};

/** Configuration of the policy service. */
export const policySchema = z.strictObject({
  ...own,
  ...serverFields(50051),
  ...busFields,
  ...engineFields,
  ...modelStoreFields,
  ...bringModelsFields,
});

/** `PolicyConfig` of the service's configuration. */
export type PolicyConfig = z.infer<typeof policySchema>;

/** See `loadServiceConfig`. */
export function loadPolicyConfig(args: readonly string[]): Promise<Readonly<PolicyConfig>> {
  return loadServiceConfig(policySchema, { service: "policy", args });
}

/** What the engine's thread needs of the configuration. */
export function engineThreadOptions(config: PolicyConfig): ThreadedEngineOptions {
  const { name, modelDir, logLevel, stuckAfterMs } = config;
  const { maxActive, maxQueued, maxQueuedTokens, kvCacheBytes } = config;
  const { maxPrefillTokens, startWaitMs, maxScoreTokens, streamIntervalMs } = config;
  return {
    ...{ name, modelDir, engine: engineSettings(config), logLevel, stuckAfterMs },
    ...{ maxActive, maxQueued, maxQueuedTokens, kvCacheBytes },
    ...{ maxPrefillTokens, startWaitMs, maxScoreTokens, streamIntervalMs },
  };
}
