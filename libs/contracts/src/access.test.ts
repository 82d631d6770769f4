import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import * as contracts from "./index.js";
import { accessOf, accessTable, METHOD_ACCESS, ROLES } from "./access.js";

type Method = { path: string; requestStream: boolean };

/** The RPCs of every proto package but health, which answers everybody. */
const METHODS = Object.entries(contracts)
  .filter(([name, value]) => typeof value === "object" && name !== "health")
  .flatMap(([, namespace]) => Object.entries(namespace as Record<string, unknown>))
  .filter(([name]) => name.endsWith("ServiceService"))
  .flatMap(([, service]) => Object.values(service as Record<string, Method>));

describe("METHOD_ACCESS", () => {
  it("knows every RPC of the protos and nothing else", () => {
    expect(METHODS.length).toBeGreaterThan(25);
    expect(Object.keys(METHOD_ACCESS).sort()).toEqual(METHODS.map(({ path }) => path).sort());
  });

  it("asks for admin where a method is not known, by whatever name", () => {
    for (const path of ["/x.v1.Y/Z", "__proto__", "constructor"]) {
      expect(accessOf(path)).toEqual({ roles: ["admin"] });
    }
    const used = new Set(Object.values(METHOD_ACCESS).flatMap(({ roles }) => roles));
    expect([...used, "admin"].sort()).toEqual([...ROLES].sort());
  });

  it("is described in docs/security.md as it is", async () => {
    const file = new URL("../../../docs/security.md", import.meta.url);
    const squeeze = (text: string) => text.replace(/[ \\]+|-{3,}/g, "");
    expect(squeeze(await readFile(file, "utf8"))).toContain(squeeze(accessTable()));
  });

  it("audits what changes something, with short fields and no configuration", () => {
    const { audit } = accessOf("/stagecraft.trainer.v1.TrainerService/CreateRun");
    const request = { runId: "r".repeat(1000), stage: "ppo", config: { secret: "hunter2" } };
    const line = JSON.stringify(audit!(request));
    expect(line).toContain('"stage":"ppo"');
    expect(line).not.toContain("hunter2");
    expect(line.length).toBeLessThan(600);
    const load = accessOf("/stagecraft.policy.v1.PolicyService/LoadWeights").audit!;
    expect(JSON.stringify(load({ weights: { version: 3, sha256: "ab" } }))).toContain("3");
  });
});
