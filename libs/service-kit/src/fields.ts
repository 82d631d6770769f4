import { choice, decimal, flag, text, whole } from "@stagecraft/fields";
import { z } from "zod";

/** Settings of a process that answers gRPC, with the service's usual port and quotas of calls. */
export function serverFields(port: number, callQuotas: readonly string[] = []) {
  return {
    host: text("127.0.0.1").describe("Address to listen on"),
    port: whole({ max: 65535, default: port }).describe("gRPC port; 0 = any free one"),
    metricsPort: whole({ max: 65535, default: 0 }).describe("Port of GET /metrics; 0 = any free"),
    metricsHost: text("127.0.0.1").describe("Address of GET /metrics"),
    probePort: whole({ max: 65535, default: 0 }).describe(
      "Port that answers health in plaintext and nothing else; 0 = none",
    ),
    tlsCert: text("").describe("PEM certificate; empty = plaintext"),
    tlsKey: text("").describe("PEM key of the certificate"),
    tlsClientCa: text("").describe("PEM authority that clients must show (mTLS)"),
    allowPlaintext: flag(false).describe("Plaintext beyond loopback"),
    tokens: z
      .array(z.string().min(16))
      .default([])
      .describe(
        "Bearer tokens that are accepted: TOKEN, or NAME=ROLE+ROLE:TOKEN; none = no token asked",
      )
      .meta({ secret: true }),
    certRoles: z
      .array(z.string().regex(/^.+=[a-z-]+(\+[a-z-]+)*$/, "CN=ROLE+ROLE"))
      .default([])
      .describe("Roles of client certificates, CN=ROLE+ROLE; none = all may do everything"),
    auditFile: text("").describe("JSON lines: who changed what; empty = among the log's lines"),
    callQuotas: z
      .array(z.string().regex(/^[A-Za-z/.0-9]+=[1-9]\d*$/, "METHOD=NUMBER"))
      .default([...callQuotas])
      .describe("Calls a minute that each client may make of a method, METHOD=NUMBER"),
    receiveTimeoutMs: whole({ min: 1, default: 20_000 }).describe(
      "Time for a request to arrive, ms; then DEADLINE_EXCEEDED",
    ),
    streamIdleMs: whole({ min: 1, default: 60_000 }).describe(
      "Silence of a stream's caller, nothing being owed to it, or an answer not taken, ms; then the call ends",
    ),
    reflection: flag(false).describe("Let clients list services (development)"),
    graceMs: whole({ default: 20_000 }).describe("Time for calls in flight at the end, ms"),
    logLevel: choice(["debug", "info", "warn", "error"], "info").describe("Least severe line"),
    tracesEndpoint: text("").describe(
      "OTLP collector for traces, e.g. http://127.0.0.1:4318; empty = none",
    ),
    traceSampleRatio: decimal({ max: 1, default: 1 }).describe("Share of traces recorded"),
  };
}

/** Settings of a process that calls others over gRPC. */
export const callFields = {
  callToken: text("")
    .describe("Bearer token for the servers it calls; empty = none")
    .meta({ secret: true }),
  callTlsCa: text("").describe(
    'PEM authority of those servers, "system" for the usual ones; empty = plaintext',
  ),
  callTlsCert: text("").describe("PEM certificate shown to those servers (mTLS)"),
  callTlsKey: text("").describe("PEM key of that certificate"),
  callTlsServerName: text("").describe(
    "Name in those servers' certificate; empty = the host that is called",
  ),
};
