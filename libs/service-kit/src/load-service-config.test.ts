import { busFields, engineFields, engineOptions } from "@stagecraft/fields";
import { writeFile } from "node:fs/promises";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { callFields, serverFields } from "./fields.js";
import { loadServiceConfig } from "./load-service-config.js";
import { deploymentTopology } from "@stagecraft/bus";
import { busOptions, clientOptions, serverOptions, topologyOptions } from "./options.js";

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
      limits: { receiveTimeoutMs: 20_000, streamIdleMs: 60_000 },
    });
    expect(busOptions(config)).toEqual({
      servers: ["nats://127.0.0.1:4222"],
      allowPlaintext: false,
    });
    expect(clientOptions(config)).toEqual({ allowPlaintext: false });
    expect(engineOptions(config)).toEqual({ engine: "auto" });
  });

  it("bound silent callers as set, beside the limits of the service", async () => {
    const config = await load("--receive-timeout-ms", "5", "--stream-idle-ms", "6");
    const limits = { receiveTimeoutMs: 5, streamIdleMs: 6, maxConcurrentCalls: 7 };
    expect(serverOptions(config, { maxConcurrentCalls: 7 })).toMatchObject({ limits });
  });

  it("follow the files that hold tokens, and name those of NATS", async () => {
    await using dir = await tempDir();
    vi.useFakeTimers({ toFake: ["performance"] });
    const file = `${dir.path}/tokens`;
    const [first, second] = ["a".repeat(16), "b".repeat(16)];
    await writeFile(file, `${first},${second}\n`);
    const secretFiles = { tokens: file, callToken: file, natsToken: "/t", natsPassword: "/p" };
    const started = await load("--tokens", first, "--call-token", first, "--nats-token", "t");
    const config = { ...started, secretFiles };
    const tokens = serverOptions(config).auth?.tokens as () => string[];
    const callToken = clientOptions(config).token as () => string;
    expect(tokens()).toEqual([first, second]);
    await writeFile(file, second);
    expect(tokens()).toEqual([first, second]); // looked at a moment ago
    vi.advanceTimersByTime(1000);
    expect([tokens(), callToken()]).toEqual([[second], second]);
    expect(busOptions(config)).toMatchObject({ tokenFile: "/t", passwordFile: "/p" });
    vi.useRealTimers();
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
