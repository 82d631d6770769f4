import { describe, expect, it } from "vitest";
import { z } from "zod";
import { busFields, callFields, engineFields, serverFields } from "./fields.js";
import { loadServiceConfig } from "./load-service-config.js";
import { deploymentTopology } from "@stagecraft/bus";
import {
  busOptions,
  clientOptions,
  engineOptions,
  serverOptions,
  topologyOptions,
} from "./options.js";

const schema = z.strictObject({
  ...serverFields(50_099),
  ...callFields,
  ...busFields,
  ...engineFields,
});
const load = (...args: string[]) => loadServiceConfig(schema, { service: "reward-model", args });

describe("loadServiceConfig()", () => {
  it("fills in defaults and reads flags", async () => {
    expect(await load("--metrics-port", "9", "--threads=2")).toMatchObject({
      host: "127.0.0.1",
      port: 50_099,
      metricsPort: 9,
      threads: 2,
    });
  });

  it("lists every problem and names an unknown flag", async () => {
    await expect(load("--port=-1", "--grace-ms", "soon")).rejects.toThrow(
      /port[\s\S]*graceMs|graceMs[\s\S]*port/,
    );
    await expect(load("--prot", "1")).rejects.toMatchObject({
      code: "invalid_argument",
      message: expect.stringMatching(/--prot.*--help/) as string,
    });
  });
});

describe("options from settings", () => {
  it("leave out what was not set", async () => {
    const config = await load();
    expect(serverOptions(config)).toEqual({
      host: "127.0.0.1",
      port: 50_099,
      allowPlaintext: false,
      reflection: false,
    });
    expect(busOptions(config)).toEqual({
      servers: ["nats://127.0.0.1:4222"],
      allowPlaintext: false,
    });
    expect(clientOptions(config)).toEqual({ allowPlaintext: false });
    expect(engineOptions(config)).toEqual({ engine: "auto" });
  });

  it("carry certificates, tokens and several NATS servers", async () => {
    const config = await load(
      ...["--tls-cert", "c.pem", "--tls-key", "k.pem", "--tls-client-ca", "a.pem"],
      ...["--tokens", "0123456789abcdef", "--nats-url", "nats://a,nats://b", "--nats-token", "t"],
    );
    expect(serverOptions(config)).toMatchObject({
      tls: { certFile: "c.pem", keyFile: "k.pem", clientCaFile: "a.pem" },
      auth: { tokens: ["0123456789abcdef"] },
    });
    expect(busOptions(config)).toMatchObject({ servers: ["nats://a", "nats://b"], token: "t" });
  });

  it("keep as many copies on the brokers as are asked for, so that no service takes one away", async () => {
    const config = await load("--nats-replicas", "3", "--task-ack-wait-ms", "5000");
    const topology = deploymentTopology(config.deployment, topologyOptions(config));
    expect(new Set(topology.streams.map(({ replicas }) => replicas))).toEqual(new Set([3]));
    expect(topology.bucketOptions.replicas).toBe(3);
    expect(topology.promptsConsumer.ackWaitMs).toBe(5000);
  });

  it("carry what clients show: certificates with or without an authority, users, tokens", async () => {
    const config = await load(
      ...["--call-tls-ca", "a.pem", "--call-tls-cert", "c.pem", "--call-tls-key", "k.pem"],
      ...["--call-tls-server-name", "policy", "--call-token", "t", "--probe-port", "9"],
      ...["--nats-tls-ca", "system", "--nats-user", "rollout", "--nats-password", "p"],
    );
    const files = { caFile: "a.pem", certFile: "c.pem", keyFile: "k.pem" };
    expect(clientOptions(config)).toMatchObject({
      token: "t",
      tls: { ...files, serverName: "policy" },
    });
    expect(busOptions(config)).toMatchObject({ user: "rollout", password: "p", tls: {} });
    expect(serverOptions(config)).toMatchObject({ probe: { host: "127.0.0.1", port: 9 } });
  });
});
