import { copyFile, mkdir } from "node:fs/promises";
import { makeCertificates, shownCertificate, tempDir, waitFor } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { createHttpServer } from "../src/http/server.js";

describe("the pages' certificate", () => {
  it("that was renewed is shown without a restart", async () => {
    await using dir = await tempDir();
    const use = async (from: string) => {
      for (const name of ["server.crt", "server.key"]) {
        await copyFile(dir.file(`${from}/${name}`), dir.file(name));
      }
    };
    for (const name of ["old", "new"]) {
      await mkdir(dir.file(name));
      makeCertificates(dir.file(name));
    }
    await use("old");
    const tls = { certFile: dir.file("server.crt"), keyFile: dir.file("server.key") };
    const database = {} as never; // no request is made
    await using server = await createHttpServer({ database, tls, pagesDir: import.meta.dirname });
    const { port, origin } = await server.start();
    expect(origin).toMatch(/^https:/);
    const before = await shownCertificate(port);
    await use("new");
    await waitFor(async () => (await shownCertificate(port)) !== before);
  });
});
