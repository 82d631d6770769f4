import { writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { createJetStreamBus, ensureTopology } from "@stagecraft/bus";
import {
  hasNatsServer,
  NATS_MISSING,
  startNatsServer,
  tempDir,
  waitFor,
} from "@stagecraft/testing";
import { describe, expect, it } from "vitest";

const missing = hasNatsServer() ? undefined : NATS_MISSING;

describe.skipIf(missing !== undefined)(`a renewed password${missing ? `: ${missing}` : ""}`, () => {
  it("counts at the next connection, without a restart", async () => {
    await using dir = await tempDir();
    const users = `${dir.path}/users.conf`;
    const passwordFile = `${dir.path}/password`;
    const setPassword = (password: string) =>
      writeFile(users, `authorization: { user: "trainer", password: "${password}" }\n`);
    await setPassword("first-password");
    await writeFile(passwordFile, "first-password\n");
    await using nats = await startNatsServer({
      maxFileStoreBytes: 8 * 1024 ** 3,
      config: `include "../${basename(dir.path)}/users.conf"`,
    });
    const login = { servers: nats.url, user: "trainer", password: "read at the start" };
    await using bus = await createJetStreamBus({ ...login, passwordFile });
    await ensureTopology(bus, "before");
    await nats.kill();
    await setPassword("second-password");
    await nats.restart();
    await writeFile(passwordFile, "second-password\n");
    await waitFor(() => ensureTopology(bus, "before").catch(() => undefined), {
      timeoutMs: 20_000,
    });
    const old = createJetStreamBus({ ...login, password: "first-password" });
    await expect(old).rejects.toMatchObject({ code: "unauthenticated" });
  });
});
