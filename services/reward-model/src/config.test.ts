import { readFile } from "node:fs/promises";
import { describeConfigTable } from "@stagecraft/config";
import { describe, expect, it } from "vitest";
import { loadRewardModelConfig, rewardModelSchema } from "./config.js";

const REQUIRED = ["--models", "a=m"];

describe("loadRewardModelConfig()", () => {
  it("fills in defaults, reads flags, and lists every problem", async () => {
    const config = await loadRewardModelConfig([...REQUIRED, "--port", "7", "--log-level", "warn"]);
    expect(config).toMatchObject({ host: "127.0.0.1", port: 7, logLevel: "warn" });
    const bad = loadRewardModelConfig([...REQUIRED, "--port=-1", "--grace-ms", "soon"]);
    await expect(bad).rejects.toThrow(/port[\s\S]*graceMs|graceMs[\s\S]*port/);
  });

  it("is described in the README as it is", async () => {
    const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
    const squeeze = (text: string) => text.replace(/[ \\]+|-{3,}/g, "");
    expect(squeeze(readme)).toContain(squeeze(describeConfigTable(rewardModelSchema)));
  });
});
