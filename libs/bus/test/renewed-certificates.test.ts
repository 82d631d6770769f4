import { copyFile, mkdir } from "node:fs/promises";
import { createJetStreamBus, ensureTopology } from "@stagecraft/bus";
import {
  hasNatsServer,
  makeCertificates,
  NATS_MISSING,
  startNatsServer,
  tempDir,
  waitFor,
} from "@stagecraft/testing";
import { describe, expect, it } from "vitest";

const missing = hasNatsServer() ? undefined : NATS_MISSING;

describe.skipIf(missing !== undefined)(
  `renewed certificates${missing ? `: ${missing}` : ""}`,
  () => {
    it("of broker, client and authority count at the next connection, without a restart", async () => {
      await using dir = await tempDir();
      const names = ["ca.crt", "server.crt", "server.key", "client.crt", "client.key"];
      for (const name of ["old", "new"]) {
        await mkdir(dir.file(name));
        makeCertificates(dir.file(name));
      }
      const use = async (from: string) => {
        for (const name of names) await copyFile(dir.file(`${from}/${name}`), dir.file(name));
      };
      await use("old");
      const pem = (name: string) => JSON.stringify(dir.file(name));
      await using nats = await startNatsServer({
        maxFileStoreBytes: 8 * 1024 ** 3,
        config: `tls: { cert_file: ${pem("server.crt")}, key_file: ${pem("server.key")}, ca_file: ${pem("ca.crt")}, verify: true }`,
      });
      const servers = nats.url.replace("nats:", "tls:");
      const tlsOf = (folder: string) => ({
        caFile: dir.file(`${folder}ca.crt`),
        certFile: dir.file(`${folder}client.crt`),
        keyFile: dir.file(`${folder}client.key`),
      });
      await using bus = await createJetStreamBus({ servers, tls: tlsOf("") });
      await ensureTopology(bus, "main");
      await nats.kill();
      await use("new");
      await nats.restart();
      await waitFor(() => ensureTopology(bus, "main").catch(() => undefined), {
        timeoutMs: 20_000,
      });
      const old = createJetStreamBus({ servers, tls: tlsOf("old/"), connectTimeoutMs: 300 });
      await expect(old).rejects.toMatchObject({ code: "unavailable" });
    });
  },
);
