import { parseArgs } from "node:util";
import { describeConfig, loadConfig, parseText } from "@stagecraft/config";
import { z } from "zod";

const server = {
  host: z.string().min(1).default("127.0.0.1").describe("Address to listen on"),
  port: z.int().min(0).max(65535).default(50052).describe("gRPC port; 0 = any free one"),
  metricsPort: z.int().min(0).max(65535).default(0).describe("Port of GET /metrics; 0 = any free"),
  tlsCert: z.string().default("").describe("PEM certificate; empty = plaintext"),
  tlsKey: z.string().default("").describe("PEM key of the certificate"),
  tlsClientCa: z.string().default("").describe("PEM authority that clients must show (mTLS)"),
  allowPlaintext: z.boolean().default(false).describe("Plaintext beyond loopback"),
  tokens: z
    .array(z.string().min(16))
    .default([])
    .describe("Bearer tokens that are accepted; none = no token asked")
    .meta({ secret: true }),
  reflection: z.boolean().default(false).describe("Let clients list services (development)"),
  graceMs: z.int().min(0).default(20_000).describe("Time for calls in flight at the end, ms"),
  logLevel: z
    .enum(["debug", "info", "warn", "error"])
    .default("info")
    .describe("Least severe line"),
};

const engine = {
  engine: z
    .enum(["auto", "native", "tensorflow", "cpu"])
    .default("auto")
    .describe("Tensor engine; auto takes the fastest that works here"),
  threads: z.int().min(0).max(1024).default(0).describe("Threads of the engine; 0 = all cores"),
};

const own = {
  models: z
    .array(z.string().regex(/^[^=]+=.+$/, "name=directory"))
    .min(1)
    .describe("Models as name=directory; the first is the default"),
  maxBatch: z.int().min(1).max(4096).default(32).describe("Items in one forward pass"),
  maxWaitMs: z.number().min(0).max(1000).default(2).describe("Wait of an item for company, ms"),
  maxQueued: z.int().min(1).default(4096).describe("Items that may wait"),
  maxItemsPerRequest: z.int().min(1).default(1024).describe("Items of one ScoreBatch"),
};

/** Configuration of the reward-model service. */
export const rewardModelSchema = z.strictObject({
  ...own,
  ...server,
  ...engine,
});

/** `RewardModelConfig` of the service's configuration. */
export type RewardModelConfig = z.infer<typeof rewardModelSchema>;

/**
 * Defaults, then `--config FILE`, then `STAGECRAFT_REWARD_MODEL_…` variables, then flags. Throws
 * `invalid_argument` with every problem.
 */
export async function loadRewardModelConfig(
  args: readonly string[],
): Promise<Readonly<RewardModelConfig>> {
  const fields = describeConfig(rewardModelSchema);
  const options = fields.map(({ flag }) => [flag.slice(2), { type: "string" }] as const);
  const { values } = parseArgs({
    args: [...args],
    options: { config: { type: "string" }, ...Object.fromEntries(options) },
  }) as { values: Record<string, string | undefined> };
  const flags = fields.flatMap((field) => {
    const text = values[field.flag.slice(2)];
    return text === undefined ? [] : [[field.name, parseText(field, text)] as const];
  });
  const { config } = await loadConfig(rewardModelSchema, {
    file: values["config"],
    environmentPrefix: "STAGECRAFT_REWARD_MODEL",
    flags: Object.fromEntries(flags),
  });
  return config;
}
