import { readFile } from "node:fs/promises";
import { describeConfigTable } from "@stagecraft/config";
import { describe, expect, it } from "vitest";
import { loadRolloutConfig, rolloutSchema, rewardSources } from "./config.js";

const REQUIRED: string[] = [];

describe("loadRolloutConfig()", () => {
  it("fills in defaults, reads flags, and lists every problem", async () => {
    const config = await loadRolloutConfig([...REQUIRED, "--port", "7", "--log-level", "warn"]);
    expect(config).toMatchObject({ host: "127.0.0.1", port: 7, logLevel: "warn" });
    const bad = loadRolloutConfig([...REQUIRED, "--port=-1", "--grace-ms", "soon"]);
    await expect(bad).rejects.toThrow(/port[\s\S]*graceMs|graceMs[\s\S]*port/);
  });

  it("reads reward sources with their weights", async () => {
    const config = await loadRolloutConfig(["--reward-models", "helpful=1,gold=0,=-0.5"]);
    const { rewardAddress: address } = config;
    expect(rewardSources(config)).toEqual([
      { address, model: "helpful", weight: 1 },
      { address, model: "gold", weight: 0 },
      { address, model: "", weight: -0.5 },
    ]);
  });

  it("is described in the README as it is", async () => {
    const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
    const squeeze = (text: string) => text.replace(/[ \\]+|-{3,}/g, "");
    expect(squeeze(readme)).toContain(squeeze(describeConfigTable(rolloutSchema)));
  });
});
