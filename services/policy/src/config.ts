import { parseArgs } from "node:util";
import { describeConfig, loadConfig, parseText } from "@stagecraft/config";
import { z } from "zod";

const server = {
  host: z.string().min(1).default("127.0.0.1").describe("Address to listen on"),
  port: z.int().min(0).max(65535).default(50051).describe("gRPC port; 0 = any free one"),
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

const engine = {
  engine: z
    .enum(["auto", "native", "tensorflow", "cpu"])
    .default("auto")
    .describe("Tensor engine; auto takes the fastest that works here"),
  threads: z.int().min(0).max(1024).default(0).describe("Threads of the engine; 0 = all cores"),
};

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
  ...server,
  ...bus,
  ...engine,
});

/** `PolicyConfig` of the service's configuration. */
export type PolicyConfig = z.infer<typeof policySchema>;

/**
 * Defaults, then `--config FILE`, then `STAGECRAFT_POLICY_…` variables, then flags. Throws
 * `invalid_argument` with every problem.
 */
export async function loadPolicyConfig(args: readonly string[]): Promise<Readonly<PolicyConfig>> {
  const fields = describeConfig(policySchema);
  const options = fields.map(({ flag }) => [flag.slice(2), { type: "string" }] as const);
  const { values } = parseArgs({
    args: [...args],
    options: { config: { type: "string" }, ...Object.fromEntries(options) },
  }) as { values: Record<string, string | undefined> };
  const flags = fields.flatMap((field) => {
    const text = values[field.flag.slice(2)];
    return text === undefined ? [] : [[field.name, parseText(field, text)] as const];
  });
  const { config } = await loadConfig(policySchema, {
    file: values["config"],
    environmentPrefix: "STAGECRAFT_POLICY",
    flags: Object.fromEntries(flags),
  });
  return config;
}
