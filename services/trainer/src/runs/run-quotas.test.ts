import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createMetrics } from "@stagecraft/telemetry";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { paginate } from "./paginate.js";
import { sizeOfRun, toRunMessage } from "./run-messages.js";
import type { RegisteredRun } from "./registered-run.js";
import { createRunQuotas, MAX_CONFIG_BYTES } from "./run-quotas.js";

const record = (runId: string, config: RegisteredRun["config"]): RegisteredRun => ({
  ...{ runId, config, stage: "ppo", runDir: `/runs/${runId}`, state: "pending", attempt: 0 },
  ...{ createdAt: new Date(0), updatedAt: new Date(0) },
});

describe("createRunQuotas()", () => {
  it("refuses large configurations, one run too many and a full folder, and counts them", async () => {
    await using dir = await tempDir();
    const metrics = createMetrics({ service: "t" });
    const quotas = createRunQuotas({ runsDir: dir.path, maxRuns: 3, maxRunsMb: 1, metrics });
    await quotas.check({ config: { prompts: ["a"] }, numRuns: 2 });
    const big = { config: { prompts: ["x".repeat(3_000_000)] }, numRuns: 0 };
    await expect(quotas.check(big)).rejects.toThrow(`at most ${MAX_CONFIG_BYTES}`);
    const many = quotas.check({ config: {}, numRuns: 3 });
    await expect(many).rejects.toThrow(/resource_exhausted.*3 runs.*--max-runs/);
    await mkdir(join(dir.path, "r1/checkpoints"), { recursive: true });
    await writeFile(join(dir.path, "r1/checkpoints/tensors"), Buffer.alloc(1024 * 1024));
    await expect(quotas.check({ config: {}, numRuns: 1 })).rejects.toThrow("--max-runs-mb");
    const text = await metrics.text();
    for (const reason of ["config", "runs", "disk"]) {
      expect(text).toMatch(new RegExp(`refusals_total\\{reason="${reason}",.*\\} 1\\n`));
    }
  });
});

describe("paginate()", () => {
  it("ends a page at a number of bytes, and every run is on one", () => {
    const runs = Array.from({ length: 30 }, (_, i) =>
      record(`r${i}`, { prompts: ["x".repeat(100_000)] }),
    );
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = paginate(runs, { pageSize: 1000, pageToken, sizeOf: sizeOfRun });
      const bytes = page.items.reduce((sum, run) => sum + sizeOfRun(run), 0);
      expect(bytes).toBeLessThan(1024 * 1024);
      seen.push(...page.items.map(({ runId }) => runId));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(seen).toEqual(runs.map(({ runId }) => runId));
  });

  it("shows a run whose configuration fits no answer without it", () => {
    const huge = record("r", { prompts: ["x".repeat(5_000_000)] });
    expect(toRunMessage(huge)).toMatchObject({ runId: "r", configOmitted: true });
    expect(sizeOfRun(huge)).toBeLessThan(1000);
    const { items } = paginate([huge], { pageSize: 0, pageToken: "", sizeOf: sizeOfRun });
    expect(items).toHaveLength(1);
    expect(toRunMessage(record("s", { a: 1 }))).toMatchObject({
      config: { a: 1 },
      configOmitted: false,
    });
  });
});
