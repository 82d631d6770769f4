import { readFile } from "node:fs/promises";
import { describeConfigTable } from "@stagecraft/config";
import { describe, expect, it } from "vitest";
import { gatewaySchema, loadGatewayConfig } from "./config.js";

describe("loadGatewayConfig()", () => {
  it("fills in defaults and asks for the folder", async () => {
    const config = await loadGatewayConfig(["--feedback-dir", "f", "--port", "7"]);
    expect(config).toMatchObject({ host: "127.0.0.1", port: 7, feedbackDir: "f" });
    await expect(loadGatewayConfig([])).rejects.toThrow(/feedbackDir/);
  });

  it("is described in the README as it is", async () => {
    const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
    const squeeze = (text: string) => text.replace(/[ \\]+|-{3,}/g, "");
    expect(squeeze(readme)).toContain(squeeze(describeConfigTable(gatewaySchema)));
  });
});
