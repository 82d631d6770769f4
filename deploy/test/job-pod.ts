import { kubernetesObjects, type PipelineJobsOptions } from "@stagecraft/pipeline";
import type { Manifest } from "./schemas.js";
import { workloadsOf, type Workload } from "./workloads.js";

/** A Job of those that `pipeline run --kubernetes` makes. */
export function jobPod(change: Partial<PipelineJobsOptions> = {}): Workload {
  const options = {
    ...{ name: "mine", namespace: "stagecraft", fileText: "", settings: [], runDir: "/data" },
    ...{ again: new Set<string>(), rerunId: "1", image: "cli", volumes: [] },
    ...{ cpu: "1", memory: "1Gi", gpus: 0, ...change },
  };
  const [, job] = kubernetesObjects([{ id: "sft", uses: [] }], options);
  return workloadsOf([job as unknown as Manifest])[0]!;
}
