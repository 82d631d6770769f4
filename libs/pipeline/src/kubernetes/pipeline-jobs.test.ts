import { describe, expect, it } from "vitest";
import { stageJob, type PipelineJobsOptions } from "./pipeline-jobs.js";

const OPTIONS: PipelineJobsOptions = {
  ...{ name: "mine", namespace: "ns", fileText: "", settings: [], runDir: "/data/runs/mine" },
  ...{ again: new Set<string>(), rerunId: "1", image: "cli", cpu: "1", memory: "1Gi", gpus: 0 },
  volumes: [{ claim: "models", path: "/models", readOnly: true }],
};

function podOf(change: Partial<PipelineJobsOptions>) {
  const { spec } = stageJob("sft", { ...OPTIONS, ...change }) as unknown as { spec: JobSpec };
  const { volumes, containers } = spec.template.spec;
  const [{ env, volumeMounts }] = containers;
  const mounted = volumeMounts.map(({ name, ...mount }) => ({
    ...mount,
    ...volumes.find((volume) => volume.name === name),
  }));
  const variables = Object.fromEntries(env.map(({ name, value }) => [name, value]));
  return { mounted, variables };
}

interface JobSpec {
  template: { spec: { volumes: { name: string }[]; containers: [Container] } };
}

interface Container {
  env: { name: string; value: string }[];
  volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[];
}

describe("stageJob()", () => {
  it("calls a broker that asks for certificates: trusts its authority and shows its own", () => {
    const { mounted, variables } = podOf({ tlsSecret: "tls-pipeline" });
    expect(mounted).toContainEqual({
      ...{ name: "secret-0", mountPath: "/etc/stagecraft-tls", readOnly: true },
      secret: { secretName: "tls-pipeline" },
    });
    expect(variables).toMatchObject({
      STAGECRAFT_NATS_TLS_CA: "/etc/stagecraft-tls/ca.crt",
      STAGECRAFT_NATS_TLS_CERT: "/etc/stagecraft-tls/tls.crt",
      STAGECRAFT_NATS_TLS_KEY: "/etc/stagecraft-tls/tls.key",
    });
  });

  it("mounts the secrets that settings of stages name as files, each in its folder", () => {
    const secrets = [
      { secret: "stagecraft-access", path: "/etc/stagecraft-access" },
      { secret: "another", path: "/etc/another" },
    ];
    const { mounted, variables } = podOf({ secrets });
    for (const { secret: secretName, path: mountPath } of secrets) {
      const mount = { mountPath, readOnly: true, secret: { secretName } };
      expect(mounted).toContainEqual(expect.objectContaining(mount));
    }
    expect(Object.keys(variables)).toEqual(["STAGECRAFT_MODELS_CACHE"]);
  });
});
