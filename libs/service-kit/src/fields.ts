import { z } from "zod";

/** Settings of a process that answers gRPC, with the service's usual port. */
export function serverFields(port: number) {
  return {
    host: z.string().min(1).default("127.0.0.1").describe("Address to listen on"),
    port: z.int().min(0).max(65535).default(port).describe("gRPC port; 0 = any free one"),
    metricsPort: z
      .int()
      .min(0)
      .max(65535)
      .default(0)
      .describe("Port of GET /metrics; 0 = any free"),
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
}

/** Settings of a process that meets others on the bus. */
export const busFields = {
  natsUrl: z.string().min(1).default("nats://127.0.0.1:4222").describe("NATS servers, by comma"),
  natsToken: z.string().default("").describe("Token for NATS; empty = none").meta({ secret: true }),
  run: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,48}$/)
    .default("main")
    .describe("Deployment's name on the bus; its parts meet there"),
};

/** Settings of a process that computes with tensors. */
export const engineFields = {
  engine: z
    .enum(["auto", "native", "tensorflow", "cpu"])
    .default("auto")
    .describe("Tensor engine; auto takes the fastest that works here"),
  threads: z.int().min(0).max(1024).default(0).describe("Threads of the engine; 0 = all cores"),
};
