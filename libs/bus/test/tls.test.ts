import { createJetStreamBus } from "@stagecraft/bus";
import {
  hasNatsServer,
  makeCertificates,
  NATS_MISSING,
  startNatsServer,
  tempDir,
} from "@stagecraft/testing";
import { describe, expect, it } from "vitest";

describe.skipIf(!hasNatsServer())(
  `TLS to NATS${hasNatsServer() ? "" : `: ${NATS_MISSING}`}`,
  () => {
    it("connects with the right certificates only", async () => {
      await using dir = await tempDir();
      makeCertificates(dir.path);
      const pem = (name: string) => JSON.stringify(dir.file(name));
      const config = `tls: { cert_file: ${pem("server.crt")}, key_file: ${pem("server.key")}, ca_file: ${pem("ca.crt")}, verify: true }`;
      await using nats = await startNatsServer({ config });
      const servers = nats.url.replace("nats:", "tls:");
      const caFile = dir.file("ca.crt");
      const shows = (name: string) => ({
        caFile,
        certFile: dir.file(`${name}.crt`),
        keyFile: dir.file(`${name}.key`),
      });
      const connectTimeoutMs = 300;
      await using bus = await createJetStreamBus({
        servers,
        tls: shows("client"),
        connectTimeoutMs,
      });
      await bus.ensureBucket("b", { maxBytes: 1024 });
      const strangers = {
        "no certificate": { caFile },
        "certificate of another authority": shows("foreign"),
        "expired certificate": shows("expired"),
        "server of another authority": { ...shows("client"), caFile: dir.file("foreign.crt") },
      };
      for (const [name, tls] of Object.entries(strangers)) {
        const refused = createJetStreamBus({ servers, tls, connectTimeoutMs });
        await expect(refused, name).rejects.toMatchObject({ code: "unavailable" });
      }
    });
  },
);
