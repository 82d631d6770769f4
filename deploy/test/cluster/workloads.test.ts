import { describe, expect, it } from "vitest";
import { expectSameWorkloads } from "./workloads.js";

const specOf = (pod: object = {}, container: object = {}) => ({
  replicas: 1,
  template: { spec: { containers: [{ name: "policy", image: "policy:1", ...container }], ...pod } },
});
const OWN = { "Deployment/policy": specOf(), "StatefulSet/trainer": specOf() };

describe("expectSameWorkloads()", () => {
  it("takes workloads that stand beside", () => {
    expectSameWorkloads({ ...structuredClone(OWN), "Deployment/cache": specOf() }, OWN);
  });

  const leftOver = {
    nodeSelector: specOf({ nodeSelector: { gpu: "yes" } }),
    topologySpreadConstraints: specOf({ topologySpreadConstraints: [{ maxSkew: 1 }] }),
    limits: specOf({}, { resources: { limits: { "nvidia.com/gpu": 1 } } }),
  };
  for (const [what, spec] of Object.entries(leftOver)) {
    it(`refuses ${what} that an overlay left`, () => {
      const changed = { ...OWN, "Deployment/policy": spec };
      expect(() => expectSameWorkloads(changed, OWN)).toThrow(/^Deployment\/policy: /);
    });
  }

  it("refuses a workload that is gone", () => {
    expect(() => expectSameWorkloads({ "Deployment/policy": specOf() }, OWN)).toThrow(
      /^StatefulSet\/trainer: /,
    );
  });
});
