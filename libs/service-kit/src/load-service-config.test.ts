import { describe, expect, it } from "vitest";
import { z } from "zod";
import { busFields, engineFields, serverFields } from "./fields.js";
import { loadServiceConfig } from "./load-service-config.js";
import { busOptions, engineOptions, serverOptions } from "./options.js";

const schema = z.strictObject({ ...serverFields(50_099), ...busFields, ...engineFields });
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
});
