import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { hasNatsServer, NATS_MISSING, startProcess } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";

/**
 * The short form of `npm run test:faults`: every row with few strikes, against the built services. The
 * seed is fixed, so that a failure here is the same on the next machine; the full counts and the
 * controls are a command of their own.
 */
const SEED = 20;
const ROWS = [
  "worker-kill",
  "trainer-kill",
  "nats-kill",
  "server-kill",
  "gateway-kill",
  "worker-stop",
  "two-trainers",
  "disk-full",
  "out-of-memory",
  "store-lost",
  "slow-trainer",
  "poison",
  "hostile-rollout",
  "hostile-request",
  "silent-client",
  "wire",
  "access",
  "checkpoint-damage",
  "rolling-term",
];

const main = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const services = ["policy", "reward-model", "rollout", "trainer", "gateway"].map((name) =>
  fileURLToPath(new URL(`../../../services/${name}/dist/main.js`, import.meta.url)),
);
const missing = !hasNatsServer()
  ? NATS_MISSING
  : [main, ...services].every((file) => existsSync(file))
    ? undefined
    : "not built (npm run build)";

interface Outcome {
  name: string;
  passed: boolean;
  skipped?: string;
  problems: string[];
}

describe.skipIf(missing !== undefined)(`faults${missing ? `: ${missing}` : ""}`, () => {
  it("lists the rows that are tested here", async () => {
    const listing = await startProcess(process.execPath, [main, "--list"]);
    expect(await listing.exited).toBe(0);
    const names = [...listing.output().matchAll(/^([a-z-]+) \(\d+; \d+ in CI\)$/gm)];
    expect(names.map(([, name]) => name)).toEqual(ROWS);
  });

  for (const name of ROWS) {
    it(`survives ${name}`, async (context) => {
      const args = [main, name, "--short", "--json", "--seed", String(SEED)];
      await using harness = await startProcess(process.execPath, args);
      const code = await harness.exited;
      const line = harness
        .output()
        .split("\n")
        .find((text) => text.startsWith("[{"));
      expect(line, harness.output()).toBeDefined();
      const [outcome] = JSON.parse(line!) as [Outcome];
      if (outcome.skipped !== undefined) context.skip(outcome.skipped);
      expect(outcome.problems).toEqual([]);
      expect(code).toBe(0);
    }, 240_000);
  }

  it("says which names there are, and fails, when asked for another", async () => {
    const harness = await startProcess(process.execPath, [main, "no-such-fault"]);
    expect(await harness.exited).toBe(1);
    expect(harness.output()).toContain("worker-kill, trainer-kill");
  });
});
