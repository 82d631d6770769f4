import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

it("test:faults -- --list sets nothing up", () => {
  const tool = fileURLToPath(new URL("faults.mjs", import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [tool, "--list"], {
    encoding: "utf8",
  });
  expect([status, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("gateway-kill (");
});
