import { describe, expect, it } from "vitest";
import { endWith, startKubeDouble, type KubeDouble } from "../../test/kube-double.js";
import { createKubeClient } from "./kube-client.js";
import type { PipelineJobsOptions } from "./pipeline-jobs.js";
import { kubernetesObjects, runOnKubernetes } from "./run-on-kubernetes.js";

const STAGES = [
  { id: "base", uses: [] },
  { id: "sft", uses: ["base"] },
  { id: "reward", uses: ["sft"] },
];
const IDS = STAGES.map(({ id }) => id);
const JOBS: PipelineJobsOptions = {
  ...{ name: "mine", namespace: "ns", fileText: "name: mine", settings: ["seed=2"] },
  ...{
    runDir: "/data/runs/mine",
    again: new Set<string>(),
    rerunId: "1",
    image: "cli",
    cpu: "1",
    memory: "1Gi",
  },
  ...{ gpus: 0, volumes: [{ claim: "data", path: "/data", readOnly: false }] },
};
const access = (url: string, token = "t") => {
  const none = { namespace: undefined, ca: undefined, cert: undefined, key: undefined };
  return { ...none, server: url, token };
};

async function createRig() {
  const kube = await startKubeDouble({ token: "t" });
  const said: string[] = [];
  const note = (text: string) => void said.push(text);
  const stop = new AbortController();
  const run = (change: Partial<PipelineJobsOptions> = {}) =>
    runOnKubernetes({
      ...{ ...JOBS, ...change, stages: STAGES, signal: stop.signal, everyMs: 1 },
      client: createKubeClient(access(kube.url)),
      reporter: { info: note, warn: note },
    });
  const made = () => kube.changes.filter((line) => line.startsWith("POST jobs"));
  return { kube, said, stop, run, made, [Symbol.asyncDispose]: () => kube[Symbol.asyncDispose]() };
}

const succeed = (job: string, kube: KubeDouble) => endWith(kube, job, 0, [`${job} line`]);

describe("runOnKubernetes()", () => {
  it("makes a Job for each stage, one after another, and tells their logs line by line", async () => {
    await using rig = await createRig();
    rig.kube.onJob = succeed;
    await rig.run();
    expect(rig.kube.changes).toEqual([
      "POST configmaps mine",
      ...IDS.map((stage) => `POST jobs mine-${stage}`),
    ]);
    expect(rig.said).toEqual(
      IDS.flatMap((stage, i) => [
        `${stage} (stage ${i + 1} of 3): Job mine-${stage}`,
        `mine-${stage} line`,
      ]),
    );
  });

  it("passes over what is complete, joins what works, makes anew what has failed", async () => {
    await using rig = await createRig();
    rig.kube.onJob = (job, kube) =>
      job === "mine-sft" ? endWith(kube, job, 1, ["bad data"]) : succeed(job, kube);
    await expect(rig.run()).rejects.toMatchObject({
      code: "failed_precondition",
      message: expect.stringMatching(
        /Job mine-sft has failed: .*exit code 1.*mine-sft-1 ended with 1/,
      ) as string,
    });
    expect(rig.said).toContain("bad data");
    rig.kube.onJob = (job, kube) => {
      if (job !== "mine-reward") return succeed(job, kube);
      const running = { job, name: "r-0", status: { phase: "Running" }, lines: [] };
      kube.pods.push(running);
      rig.stop.abort(); // Ctrl-C while the last one works
    };
    await expect(rig.run()).rejects.toMatchObject({ code: "cancelled" });
    expect(rig.made()).toEqual(
      ["base", "sft", "sft", "reward"].map((stage) => `POST jobs mine-${stage}`),
    );
    expect(rig.kube.changes.at(-1)).toBe("DELETE jobs mine-reward");
    expect(rig.said).toContain("ending Job mine-reward; its stage writes a checkpoint first");
  });

  it("joins a Job that works: nothing is made twice when the command is called again", async () => {
    await using rig = await createRig();
    const [, job] = kubernetesObjects(STAGES.slice(0, 1), JOBS) as [
      unknown,
      { metadata: { name: string } },
    ];
    rig.kube.jobs.set("mine-base", job);
    const pod = {
      job: "mine-base",
      name: "b-0",
      status: { phase: "Pending" } as object,
      lines: [],
    };
    rig.kube.pods.push(pod as never);
    const conditions = [
      { type: "PodScheduled", status: "False", message: "0/3 nodes are available" },
    ];
    pod.status = { phase: "Pending", conditions };
    rig.kube.onJob = succeed;
    const running = rig.run();
    const waits = "b-0 waits: 0/3 nodes are available";
    await expect.poll(() => rig.said.includes(waits)).toBe(true);
    rig.kube.numAway = 2; // the API server is away for a moment
    await expect.poll(() => rig.kube.numAway).toBe(0);
    rig.kube.pods.splice(0);
    succeed("mine-base", rig.kube);
    await running;
    expect(rig.made()).toEqual(["POST jobs mine-sft", "POST jobs mine-reward"]);
    // Once, and once more after the server was away.
    expect(rig.said.filter((line) => line === waits)).toHaveLength(2);
    expect(rig.said.some((line) => line.includes("waiting for it"))).toBe(true);
  });

  it("a changed pipeline replaces finished Jobs, and is refused while one of another version works", async () => {
    await using rig = await createRig();
    rig.kube.onJob = succeed;
    await rig.run();
    await rig.run({ fileText: "name: mine # changed" });
    expect(rig.made()).toHaveLength(6);
    delete rig.kube.jobs.get("mine-base")!.status;
    await expect(rig.run({ fileText: "another" })).rejects.toMatchObject({
      code: "failed_precondition",
      message: expect.stringContaining("another version of this pipeline") as string,
    });
  });

  it("runs stages again that are to be, each with its own --rerun", async () => {
    await using rig = await createRig();
    rig.kube.onJob = succeed;
    await rig.run();
    await rig.run({ again: new Set(["sft", "reward"]), rerunId: "2" });
    expect(rig.made().slice(3)).toEqual(["POST jobs mine-sft", "POST jobs mine-reward"]);
    const args = JSON.stringify(rig.kube.jobs.get("mine-reward"));
    expect(args).toContain(
      '"--until","reward","--set","seed=2","--rerun","reward","--rerun-id","2"',
    );
    await rig.run(); // without --rerun nothing is left to do
    expect(rig.made()).toHaveLength(5);
  });

  it("goes on with a rerun that was left: same id for what had begun, what uses it is done again, too", async () => {
    await using rig = await createRig();
    rig.kube.onJob = succeed;
    await rig.run();
    rig.kube.onJob = (job, kube) => endWith(kube, job, 1);
    const again = { again: new Set(["sft", "reward"]), rerunId: "2" };
    await expect(rig.run(again)).rejects.toMatchObject({ code: "failed_precondition" });
    rig.kube.onJob = succeed;
    await rig.run();
    expect(rig.made().slice(4)).toEqual(["POST jobs mine-sft", "POST jobs mine-reward"]);
    for (const stage of ["sft", "reward"]) {
      const args = JSON.stringify(rig.kube.jobs.get(`mine-${stage}`));
      expect(args).toContain(`"--rerun","${stage}","--rerun-id","2"`);
    }
  });

  it("a rerun is refused while a later stage works, before anything is changed in the cluster", async () => {
    await using rig = await createRig();
    rig.kube.onJob = succeed;
    await rig.run();
    delete rig.kube.jobs.get("mine-reward")!.status; // it works
    const before = rig.kube.changes.length;
    const again = { again: new Set(["sft", "reward"]), rerunId: "2", settings: ["seed=2"] };
    await expect(rig.run(again)).rejects.toMatchObject({
      code: "failed_precondition",
      message: expect.stringMatching(/Job mine-reward is working.*--rerun/) as string,
    });
    rig.kube.jobs.delete("mine-base"); // its time after the end was over
    await expect(rig.run()).rejects.toMatchObject({
      code: "failed_precondition",
      message: expect.stringMatching(
        /Job mine-reward is working.*mine-base would be made/,
      ) as string,
    });
    await expect(rig.run({ fileText: "another" })).rejects.toMatchObject({
      code: "failed_precondition",
    });
    expect(rig.kube.changes.slice(before)).toEqual([]);
  });

  it("says when the cluster does not know us, and sends no token in the clear", async () => {
    await using rig = await createRig();
    const stranger = createKubeClient(access(rig.kube.url, "x"));
    await expect(stranger.get("/api/v1/namespaces/ns/pods")).rejects.toMatchObject({
      code: "unauthenticated",
    });
    expect(() => createKubeClient(access("http://10.0.0.1"))).toThrow("has no TLS");
  });
});

describe("createKubeClient()", () => {
  it("asks for its token anew when the server does not take it any more, once a call", async () => {
    await using kube = await startKubeDouble({ token: "second" });
    const tokens = ["second", "third"];
    let numAsked = 0;
    const identity = () => ({ token: tokens[numAsked++], cert: undefined, key: undefined });
    const renew = () => Promise.resolve(identity());
    const client = createKubeClient({ ...access(kube.url, "first"), renew });
    const pods = "/api/v1/namespaces/ns/pods";
    await Promise.all([client.get(pods), client.get(pods)]);
    kube.pods.push({ job: "j", name: "p", status: {}, lines: ["a"] });
    for await (const line of client.lines(`${pods}/p/log`, new AbortController().signal)) {
      expect(line).toBe("a");
    }
    expect(numAsked).toBe(1);
    await using other = await startKubeDouble({ token: "another" });
    const stranger = createKubeClient({ ...access(other.url, "first"), renew });
    await expect(stranger.get(pods)).rejects.toMatchObject({ code: "unauthenticated" });
    expect(numAsked).toBe(2);
  });
});

describe("createKubeClient() with a credential plugin", () => {
  it("runs it once for two calls that are refused at the same time", async () => {
    await using kube = await startKubeDouble({ token: "second" });
    const pods = "/api/v1/namespaces/ns/pods";
    let numAsked = 0;
    const renew = async () => {
      numAsked++;
      await expect.poll(() => kube.numRefused).toBe(2);
      await createKubeClient(access(kube.url, "second")).get(pods); // so long takes an answer at most
      return { token: "second", cert: undefined, key: undefined };
    };
    const client = createKubeClient({ ...access(kube.url, "first"), renew });
    await Promise.all([client.get(pods), client.get(pods)]);
    expect(numAsked).toBe(1);
  });

  it("runs it again for the next call when it failed", async () => {
    await using kube = await startKubeDouble({ token: "second" });
    let numAsked = 0;
    const renew = () =>
      numAsked++ === 0
        ? Promise.reject(new Error("not signed in"))
        : Promise.resolve({ token: "second", cert: undefined, key: undefined });
    const client = createKubeClient({ ...access(kube.url, "first"), renew });
    const pods = "/api/v1/namespaces/ns/pods";
    await expect(client.get(pods)).rejects.toThrow("not signed in");
    expect(await client.get(pods)).toBeDefined();
  });
});

describe("stageJob()", () => {
  it("has Kueue's label and waits for it, GPUs, secrets and claims where they are asked for", () => {
    const [, plain] = kubernetesObjects(STAGES.slice(0, 1), JOBS);
    expect(JSON.stringify(plain)).not.toMatch(/kueue|suspend|gpu|envFrom/);
    expect(JSON.stringify(plain)).not.toContain("push-models");
    const volumes = [{ claim: "models", path: "/models", readOnly: true }];
    const pushModels = "s3://models/mine";
    const [, job] = kubernetesObjects(STAGES.slice(0, 1), {
      ...{
        ...JOBS,
        queue: "team",
        gpus: 2,
        envSecret: "s3",
        serviceAccount: "sa",
        volumes,
        pushModels,
      },
    });
    expect(job).toMatchObject({
      metadata: { labels: { "kueue.x-k8s.io/queue-name": "team" } },
      spec: {
        suspend: true,
        template: {
          spec: {
            hostname: "mine",
            serviceAccountName: "sa",
            containers: [
              {
                args: expect.arrayContaining(["--push-models", pushModels]) as unknown,
                resources: { limits: { "nvidia.com/gpu": "2" } },
                envFrom: [{ secretRef: { name: "s3" } }],
                volumeMounts: expect.arrayContaining([
                  { name: "volume-0", mountPath: "/models", readOnly: true },
                ]) as unknown,
              },
            ],
          },
        },
      },
    });
  });
});
