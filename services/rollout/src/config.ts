import { parseArgs } from "node:util";
import { describeConfig, loadConfig, parseText } from "@stagecraft/config";
import { z } from "zod";
import type { ConnectionOptions, RewardSource } from "./open.js";

const server = {
  host: z.string().min(1).default("127.0.0.1").describe("Address to listen on"),
  port: z.int().min(0).max(65535).default(50053).describe("gRPC port; 0 = any free one"),
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

const bus = {
  natsUrl: z.string().min(1).default("nats://127.0.0.1:4222").describe("NATS servers, by comma"),
  natsToken: z.string().default("").describe("Token for NATS; empty = none").meta({ secret: true }),
  run: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,48}$/)
    .default("main")
    .describe("Deployment's name on the bus; its parts meet there"),
};

const own = {
  workerId: z.string().default("").describe("Name in events and logs; empty = host and process id"),
  policyAddress: z.string().min(1).default("127.0.0.1:50051").describe("Policy servers"),
  rewardAddress: z.string().min(1).default("127.0.0.1:50052").describe("Reward-model servers"),
  rewardModels: z
    .array(z.string().regex(/^[^=]*=-?[0-9.]+$/, "name=weight"))
    .default(["=1"])
    .describe(
      "Reward models as name=weight; no name = the server's default, weight 0 = only logged",
    ),
  callToken: z
    .string()
    .default("")
    .describe("Bearer token for those servers; empty = none")
    .meta({ secret: true }),
  callTlsCa: z.string().default("").describe("PEM authority of those servers; empty = plaintext"),
  callTlsCert: z.string().default("").describe("PEM certificate shown to those servers (mTLS)"),
  callTlsKey: z.string().default("").describe("PEM key of that certificate"),
  concurrency: z.int().min(1).max(4096).default(64).describe("Tasks in flight at once"),
  generateTimeoutMs: z
    .int()
    .min(1)
    .default(120_000)
    .describe("For one answer, waiting included, ms"),
  scoreTimeoutMs: z.int().min(1).default(30_000).describe("For one score, ms"),
  connectTimeoutMs: z.int().min(1).default(60_000).describe("For the policy server to be up, ms"),
};

/** Configuration of the rollout service. */
export const rolloutSchema = z.strictObject({
  ...own,
  ...server,
  ...bus,
});

/** `RolloutConfig` of the service's configuration. */
export type RolloutConfig = z.infer<typeof rolloutSchema>;

/**
 * Defaults, then `--config FILE`, then `STAGECRAFT_ROLLOUT_…` variables, then flags. Throws
 * `invalid_argument` with every problem.
 */
export async function loadRolloutConfig(args: readonly string[]): Promise<Readonly<RolloutConfig>> {
  const fields = describeConfig(rolloutSchema);
  const options = fields.map(({ flag }) => [flag.slice(2), { type: "string" }] as const);
  const { values } = parseArgs({
    args: [...args],
    options: { config: { type: "string" }, ...Object.fromEntries(options) },
  }) as { values: Record<string, string | undefined> };
  const flags = fields.flatMap((field) => {
    const text = values[field.flag.slice(2)];
    return text === undefined ? [] : [[field.name, parseText(field, text)] as const];
  });
  const { config } = await loadConfig(rolloutSchema, {
    file: values["config"],
    environmentPrefix: "STAGECRAFT_ROLLOUT",
    flags: Object.fromEntries(flags),
  });
  return config;
}

/** The reward sources that `rewardModels` names. */
export function rewardSources(config: RolloutConfig): RewardSource[] {
  return config.rewardModels.map((text) => {
    const at = text.lastIndexOf("=");
    const weight = Number(text.slice(at + 1));
    return { address: config.rewardAddress, model: text.slice(0, at), weight };
  });
}

/** How to reach the servers. */
export function connectionOptions(config: RolloutConfig): ConnectionOptions {
  const { callTlsCa, callTlsCert, callTlsKey, callToken, allowPlaintext } = config;
  const own = callTlsCert === "" ? {} : { certFile: callTlsCert, keyFile: callTlsKey };
  return {
    allowPlaintext,
    ...(callToken === "" ? {} : { token: callToken }),
    ...(callTlsCa === "" ? {} : { tls: { caFile: callTlsCa, ...own } }),
  };
}
