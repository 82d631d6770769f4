import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createMemoryBus } from "@stagecraft/bus";
import {
  createNatsStore,
  openStoreRegistry,
  pullModel,
  pushModel,
  type StoreSettings,
} from "@stagecraft/model-store";
import { silentReporter } from "@stagecraft/runs";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createFileAccess } from "./file-access.js";
import { storeStage } from "./store-stage.js";
import type { TrainerStage, TrainerStageContext } from "./trainer-stage.js";

async function writeModel(dir: string, text: string): Promise<string> {
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, "config.json"), "{}");
  await writeFile(join(dir, "model.safetensors"), text);
  return dir;
}

async function createRig(pushModels = "") {
  const dir = await tempDir();
  const bus = createMemoryBus();
  const store = createNatsStore({ bus, bucket: "models_main", replicas: 1 });
  const seen: { policy: string; weights: string }[] = [];
  const references: string[] = [];
  const said: string[] = [];
  const stage: TrainerStage = {
    ...{
      name: "s",
      summary: "",
      schema: z.strictObject({ policy: z.string(), reference: z.string() }),
    },
    async run(config, { runDir }) {
      await mkdir(runDir, { recursive: true });
      await writeFile(join(runDir, "run.json"), JSON.stringify({ config }));
      const { policy, reference } = config as { policy: string; reference: string };
      references.push(reference);
      const weights = await readFile(join(policy, "model.safetensors"), "utf8");
      seen.push({ policy, weights });
      const modelDir = await writeModel(join(runDir, "model"), `${weights}, trained`);
      return { modelDir, outputs: {}, metrics: {} };
    },
  };
  const settings = { modelsCache: dir.file("cache") } as StoreSettings;
  const open = () => Promise.resolve(store);
  const note = (text: string) => void said.push(text);
  const context: TrainerStageContext = {
    ...{ runId: "run7", runDir: dir.file("runs/run7"), resume: false, overwrite: false },
    signal: new AbortController().signal,
    reporter: { ...silentReporter(), info: note, warn: note },
  };
  const run = (policy: string, how = open, resume = false, reference = policy) =>
    storeStage(stage, { settings, pushModels, open: how }).run(
      { policy, reference },
      { ...context, resume },
    );
  const close = () => dir[Symbol.asyncDispose]();
  return { dir, store, seen, references, said, run, [Symbol.asyncDispose]: close };
}

/** Of `nats://results`. */
const FOLDER = { scheme: "nats", bucket: "", prefix: "results/" } as const;

describe("storeStage()", () => {
  it("brings the models that a run names in a store, and pushes what came out under the run's id", async () => {
    await using rig = await createRig("nats://results");
    await pushModel(rig.store, await writeModel(rig.dir.file("m"), "base"), { name: "base" });
    const { outputs } = await rig.run("nats://base");
    expect(rig.seen).toMatchObject([{ weights: "base" }]);
    expect(rig.seen[0]!.policy).toContain(rig.dir.file("cache"));
    expect(outputs["pushed"]).toMatch(/^nats:\/\/results\/run7@[0-9a-f]{16}$/);
    const registry = openStoreRegistry(rig.store, FOLDER);
    expect((await registry.find("run7@1")).path).toBe(outputs["pushed"]);
    await pullModel(rig.store, rig.dir.file("back"), { name: "results/run7" });
    expect(await readFile(rig.dir.file("back/model.safetensors"), "utf8")).toBe("base, trained");
  });

  it("a run that goes on keeps the version that it began with", async () => {
    await using rig = await createRig();
    await pushModel(rig.store, await writeModel(rig.dir.file("m"), "one"), { name: "base" });
    await rig.run("nats://base");
    await pushModel(rig.store, await writeModel(rig.dir.file("m"), "two"), { name: "base" });
    await rig.run("nats://base", undefined, true);
    expect(rig.seen.map(({ weights }) => weights)).toEqual(["one", "one"]);
    expect(rig.said.join("\n")).toMatch(/by now; this run goes on with @/);
    await rig.run("nats://base");
    expect(rig.seen.at(-1)).toMatchObject({ weights: "two" });
  });

  it("a name without a version keeps its own beside a pinned one of the same model", async () => {
    await using rig = await createRig();
    const push = async (text: string) =>
      pushModel(rig.store, await writeModel(rig.dir.file("m"), text), { name: "base" });
    const { version: one } = await push("one");
    const { version: two } = await push("two");
    for (const resume of [false, true]) {
      await rig.run(`nats://base@${one}`, undefined, resume, "nats://base");
      await push("three");
    }
    expect(rig.references).toEqual([two, two].map((each) => rig.dir.file(`cache/base-${each}`)));
  });

  it("a store that is away takes no result from a run, which says where its model is", async () => {
    await using rig = await createRig("nats://results");
    const away = () => Promise.reject(new Error("store away"));
    const result = await rig.run(await writeModel(rig.dir.file("m"), "here"), away);
    expect(result).toMatchObject({ modelDir: rig.dir.file("runs/run7/model"), outputs: {} });
    expect(rig.said.at(-1)).toMatch(
      /was not pushed to nats:\/\/results\/run7: .*store away.*models push/,
    );
  });
});

describe("createFileAccess()", () => {
  it("lets runs load from the named stores alone", async () => {
    await using dir = await tempDir();
    const options = { runsDir: dir.file("runs"), readDirs: [], writeDirs: [] };
    const modelSources = ["s3://models/team", "nats://"];
    const files = createFileAccess({ ...options, modelSources });
    for (const policy of [
      "s3://models/team/a",
      "s3://models/team@0123456789abcdef",
      "nats://x/y",
    ]) {
      await files.checkConfig({ policy }, dir.file("runs/r"));
    }
    for (const policy of ["s3://models/teams", "s3://other/team/a", "s3://models/../team/a"]) {
      await expect(files.checkConfig({ policy }, dir.file("runs/r"))).rejects.toThrow(
        /policy|names no/,
      );
    }
    const none = createFileAccess(options);
    await expect(
      none.checkConfig({ policy: "nats://x" }, dir.file("runs/r")),
    ).rejects.toMatchObject({
      code: "permission_denied",
      message: expect.stringContaining("--model-sources") as string,
    });
  });
});
