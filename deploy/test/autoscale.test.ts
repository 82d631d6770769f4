import { METRICS } from "@stagecraft/telemetry";
import { describe, expect, it } from "vitest";
import { ELSEWHERE, EVERYTHING, render, RENDERER_MISSING } from "./render.js";
import { find } from "./workloads.js";
import type { Manifest } from "./schemas.js";

interface ScaledSpec {
  scaleTargetRef: { name: string };
  minReplicaCount: number;
  maxReplicaCount: number;
  fallback: { replicas: number };
  triggers: { metadata: Record<string, string> }[];
}

const scaledOf = (manifests: readonly Manifest[], name: string) =>
  find(manifests, "ScaledObject", name)["spec"] as ScaledSpec;
const queriesOf = ({ triggers }: ScaledSpec) => triggers.map(({ metadata }) => metadata["query"]!);

const skipped = RENDERER_MISSING ? ` (skipped: ${RENDERER_MISSING})` : "";
describe.skipIf(RENDERER_MISSING !== undefined)(`components/autoscale-servers${skipped}`, () => {
  it.each([
    ["policy", METRICS.policyQueuedSequences],
    ["reward-model", METRICS.rewardQueuedItems],
  ])("scales %s by what waits for it and by its own busy share", (name, queue) => {
    const spec = scaledOf(render(EVERYTHING), name);
    expect(spec.scaleTargetRef.name).toBe(name);
    const [waiting = "", busy = ""] = queriesOf(spec);
    expect(waiting).toBe(`sum(${queue.name}{namespace="stagecraft"}) or vector(0)`);
    expect(busy).toContain(`${METRICS.busySeconds.name}{namespace="stagecraft",service="${name}"}`);
    // A share is below 1: at 1 and more no load would ever ask for another pod.
    const share = Number(spec.triggers[1]?.metadata["threshold"]);
    expect(share).toBeGreaterThan(0.5);
    expect(share).toBeLessThan(1);
    expect(spec.fallback.replicas).toBeGreaterThanOrEqual(spec.minReplicaCount);
    expect(spec.fallback.replicas).toBeLessThanOrEqual(spec.maxReplicaCount);
  });

  it("leaves the number of pods to KEDA when it is applied again", () => {
    for (const name of ["policy", "reward-model"]) {
      const deployment = find(render(EVERYTHING), "Deployment", name);
      expect(deployment["spec"], name).not.toHaveProperty("replicas");
    }
  });

  it("looks at its own namespace's figures", () => {
    const manifests = render(ELSEWHERE);
    const queries = ["policy", "reward-model"].flatMap((name) =>
      queriesOf(scaledOf(manifests, name)),
    );
    expect(queries).toHaveLength(4);
    for (const query of queries) expect(query).toContain('namespace="elsewhere"');
  });
});
