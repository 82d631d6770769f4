import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { liveText, secretFiles } from "./live-text.js";

describe("liveText()", () => {
  it("follows the file, and looks at it once a second at most", async () => {
    await using dir = await tempDir();
    const file = join(dir.path, "token");
    let now = 0;
    const read = liveText(file, "at the start", () => now);
    expect(read()).toBe("at the start");
    await writeFile(file, "first\n");
    now = 999;
    expect(read()).toBe("at the start");
    now = 1000;
    expect(read()).toBe("first");
  });

  it("keeps what it had while the file is away or empty", async () => {
    await using dir = await tempDir();
    const file = join(dir.path, "token");
    await writeFile(file, "first");
    let now = 0;
    const read = liveText(file, "at the start", () => now);
    expect(read()).toBe("first");
    await writeFile(file, "");
    now += 1000;
    expect(read()).toBe("first");
    await rm(file);
    now += 1000;
    expect(read()).toBe("first");
    await writeFile(file, "second\r\n");
    now += 1000;
    expect(read()).toBe("second");
  });
});

describe("secretFiles()", () => {
  const schema = z.strictObject({
    callToken: z.string().default("").meta({ secret: true }),
    natsPassword: z.string().default("").meta({ secret: true }),
    host: z.string().default(""),
  });

  it("are those of secret fields whose variable itself is not set", () => {
    const environment = {
      P_CALL_TOKEN_FILE: "/token",
      P_NATS_PASSWORD: "given",
      P_NATS_PASSWORD_FILE: "/password",
      P_HOST_FILE: "/host",
    };
    expect(secretFiles(schema, "P", environment)).toEqual({ callToken: "/token" });
  });
});
