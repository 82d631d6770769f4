import { describe, expect, it } from "vitest";
import { rulesOf, mayLeave } from "./network-rules.js";
import { addable, overlayOf, render, RENDERER_MISSING } from "./render.js";
import { settingsOf, type Settings } from "./settings.js";
import { find, serversOf, variablesOf, workloadsOf, type Workload } from "./workloads.js";

type StoreSettings = Settings & Record<`s3${string}` | "pushModels", string>;

const OVERLAY = "overlays/production";
const components = ["store-models"].map((name) => `../../components/${name}`);
const skipped = RENDERER_MISSING ? ` (skipped: ${RENDERER_MISSING})` : "";
const suite = describe.skipIf(RENDERER_MISSING !== undefined);

function withStore() {
  using mine = overlayOf({ resources: [`../../${OVERLAY}`], components });
  return render(mine.path);
}
const USERS = ["policy", "reward-model", "trainer", "gateway"];
const usersOf = (manifests: ReturnType<typeof render>) =>
  serversOf(manifests).filter(({ name }) => USERS.includes(name));

suite(`the component store-models${skipped}`, () => {
  it("names every model, the registry and results below one URL, with the keys of one Secret", () => {
    expect(addable(OVERLAY)).toContain("store-models");
    const manifests = withStore();
    const named = usersOf(manifests).map((workload) => {
      const settings = settingsOf(manifests, workload) as StoreSettings;
      expect(settings, workload.name).toMatchObject({
        ...{ s3Endpoint: "https://s3.example.org", s3Region: "us-east-1" },
        ...{ s3AccessKeyId: "key", s3SecretAccessKey: "some text" },
      });
      const { modelDir, modelSources, pushModels, registry } = settings;
      const models = workload.name === "reward-model" ? settings.models : undefined;
      return { name: workload.name, models, modelDir, modelSources, pushModels, registry };
    });
    const url = "s3://models";
    expect(named.sort((a, b) => a.name.localeCompare(b.name))).toEqual([
      { name: "gateway", registry: url },
      { name: "policy", modelDir: `${url}/policy` },
      { name: "reward-model", models: [`reward=${url}/reward`] },
      { name: "trainer", modelSources: [url], pushModels: url },
    ]);
  });

  it("has init containers bring what the server loads, from the same place", () => {
    const manifests = withStore();
    for (const name of ["policy", "reward-model"]) {
      const { pod, container } = workloadsOf(manifests).find((one) => one.name === name)!;
      const [bringer] = pod.initContainers!;
      const own = variablesOf(manifests, container);
      const brought = [...variablesOf(manifests, bringer!)];
      expect(brought.filter(([key]) => /_S3_|_(MODEL_DIR|MODELS)$/.test(key)).length).toBe(5);
      for (const [key, value] of brought) expect(own.get(key), key).toBe(value);
    }
  });

  it("lets those pods, and no others, out to the store where egress is closed", () => {
    const rules = rulesOf(withStore());
    const s3 = { labels: {}, port: 443 };
    const leaves = serversOf(withStore()).filter(({ labels }: Workload) =>
      mayLeave(rules, labels, s3),
    );
    expect(leaves.map(({ name }) => name).sort()).toEqual([...USERS].sort());
    expect(() => find(withStore(), "NetworkPolicy", "egress-object-store")).not.toThrow();
  });

  it("sets no limit to a model's size: it lies on the node's disk, not in memory", () => {
    for (const { name, pod } of usersOf(withStore())) {
      const volume = pod.volumes?.find((one) => one.name === "models");
      if (["policy", "reward-model"].includes(name))
        expect(volume).toEqual({ name: "models", emptyDir: {} });
    }
  });
});
