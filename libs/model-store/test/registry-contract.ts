import { tempDir } from "@stagecraft/testing";
import { openRegistry, writeLineage, type ModelRegistry } from "@stagecraft/registry";
import { describe, expect, it } from "vitest";
import {
  openStoreRegistry,
  pullModel,
  pushModel,
  type RemoteStore,
  type StoreUrl,
} from "../src/index.js";
import { PART, writeModel, type Opened } from "./store-contract.js";

const now = () => new Date("2026-03-04T10:20:30Z");

/** A registry in a store is the same interface as one in a file, and several share it. */
export function describeStoreRegistry(
  name: string,
  open: () => Promise<Opened>,
  { where, part = PART }: { where: StoreUrl; part?: number },
): void {
  const scheme = where.scheme === "s3" ? `s3://${where.bucket}/` : "nats://";
  const registryOf = (store: RemoteStore) => openStoreRegistry(store, where, { now });
  const write = (dir: string, fill: number) => writeModel(dir, fill, part);

  describe(`registry in ${name}`, () => {
    it("tells the same as one of directories: versions, lineage, files, promotions, ways back", async () => {
      await using opened = await open();
      await using dir = await tempDir();
      for (const fill of [1, 2, 3]) await write(dir.file(`m${fill}`), fill);
      await writeLineage(dir.file("m3"), lineageAbout());
      const inFile = openRegistry(dir.file("models.json"), { now });
      const told = [await tell(inFile), await tell(registryOf(opened.store))];
      expect(told[1]).toEqual(told[0]);

      async function tell(registry: ModelRegistry) {
        const failed: unknown[] = [];
        const note = (thrown: Error) => void failed.push(thrown.message.replace(registry.file, ""));
        for (const fill of [1, 2, 3]) await registry.add("assistant", dir.file(`m${fill}`));
        await registry.add("assistant", dir.file("m1"), { note: "again" });
        for (const version of [1, 3]) await registry.promote("assistant", version, { by: "ann" });
        await registry.rollBack("assistant", { by: "bo" });
        await registry.rollBack("assistant", { by: "bo" }).catch(note);
        await registry.find("assistant@7").catch(note);
        await registry.find("other").catch(note);
        const [model] = await registry.models();
        const lineages = await Promise.all(model!.versions.map((each) => registry.lineage(each)));
        const files = await registry.files(model!.versions[0]!);
        const content = files.filter((file) => !file.name.includes("/")).map(contentOf);
        const plain = model!.versions.map(({ dir: _1, path: _2, ...each }) => each);
        return {
          failed,
          plain,
          promotions: model!.promotions,
          lineages,
          content: await Promise.all(content),
        };
      }
    });

    it("a model of the store is registered by its URL, and what programs load is pinned to its version", async () => {
      await using opened = await open();
      await using dir = await tempDir();
      const { store } = opened;
      await write(dir.file("run"), 4);
      const { version } = await pushModel(store, dir.file("run"), { name: "runs/seven" });
      const registry = registryOf(store);
      const url = `${scheme}runs/seven`;
      const added = await registry.add("assistant", url);
      expect(added.path).toBe(`${url}@${version}`);
      expect((await registry.add("assistant", `${url}@${version}`)).version).toBe(1);
      await write(dir.file("run"), 5);
      await pushModel(store, dir.file("run"), { name: "runs/seven" });
      expect((await registry.add("assistant", url)).version).toBe(2);
      expect((await registry.find("assistant@1")).path).toBe(`${url}@${version}`);
      await expect(registry.add("assistant", "s3://elsewhere/runs/seven")).rejects.toThrow(
        "is in another store than the registry",
      );
    });

    it("loses no change when several change it at once, and every one sees what the others did", async () => {
      await using opened = await open();
      await using dir = await tempDir();
      const { store } = opened;
      const dirs = [1, 2, 3, 4].map((fill) => dir.file(`m${fill}`));
      await Promise.all(dirs.map((each, i) => write(each, i)));
      await Promise.all(dirs.map((each) => registryOf(store).add("assistant", each)));
      const by = ["ann", "bo", "cy"];
      const promote = (who: string, i: number) =>
        registryOf(store).promote("assistant", i + 1, { by: who });
      await Promise.all(by.map(promote));
      const [model] = await registryOf(store).models();
      expect(model!.versions.map(({ version }) => version)).toEqual([1, 2, 3, 4]);
      expect(new Set(model!.versions.map(({ path }) => path)).size).toBe(4);
      expect(model!.promotions.map((each) => each.by).sort()).toEqual(by);
    });

    it("puts no version to use whose files the store has lost", async () => {
      await using opened = await open();
      await using dir = await tempDir();
      const { store } = opened;
      await write(dir.file("m"), 1);
      const registry = registryOf(store);
      const { dir: key } = await registry.add("assistant", dir.file("m"));
      await store.remove(`${key.replace("@", "/")}/model.safetensors`);
      await expect(registry.promote("assistant", 1, { by: "ann" })).rejects.toMatchObject({
        code: "data_loss",
        message: expect.stringContaining("has lost model.safetensors") as string,
      });
      expect(await registry.current("assistant")).toBeUndefined();
    });

    it("a model whose files the store has lost is whole again when it is pushed again", async () => {
      await using opened = await open();
      await using dir = await tempDir();
      const { store } = opened;
      await write(dir.file("m"), 1);
      const registry = registryOf(store);
      for (const lost of ["model.safetensors", "stagecraft.json"]) {
        const { dir: key } = await registry.add("assistant", dir.file("m"));
        await store.remove(`${key.replace("@", "/")}/${lost}`);
        await registry.add("assistant", dir.file("m"));
        expect(await registry.promote("assistant", 1, { by: "ann" })).toMatchObject({ version: 1 });
        const [name, version] = key.split("@");
        await pullModel(store, dir.file(lost), { name: name!, version });
      }
    });

    it("tells the lineage of the others when the store has lost one version, and what is missing of that", async () => {
      await using opened = await open();
      await using dir = await tempDir();
      const { store } = opened;
      for (const fill of [1, 2, 3]) await write(dir.file(`m${fill}`), fill);
      for (const fill of [2, 3]) await writeLineage(dir.file(`m${fill}`), lineageAbout());
      for (const fill of [1, 2, 3]) await registryOf(store).add("assistant", dir.file(`m${fill}`));
      const registry = registryOf(store); // which has read none yet
      const versions = await registry.versions("assistant");
      const keys = versions.map((each) => each.dir.replace("@", "/"));
      await store.remove(`${keys[0]}/stagecraft.json`);
      await store.remove(`${keys[1]}/lineage.json`);
      const found = await Promise.all(versions.map((each) => registry.lineage(each)));
      expect(found[0]).toMatchObject({ reason: expect.stringContaining("has no model") as string });
      expect(found[1]).toMatchObject({ reason: expect.stringContaining("lineage.json") as string });
      expect(found[2]).toMatchObject({ lineage: { stage: "ppo" } });
    });

    it("prunes what no registry names: every version that one can go back to stays", async () => {
      await using opened = await open();
      await using dir = await tempDir();
      const { store } = opened;
      for (const fill of [1, 2, 3, 4]) await write(dir.file(`m${fill}`), fill);
      const registry = registryOf(store);
      for (const fill of [1, 2]) await registry.add("assistant", dir.file(`m${fill}`));
      const [one, two] = (await registry.versions("assistant")).map((each) => each.dir.slice(-16));
      for (const version of [1, 2]) await registry.promote("assistant", version, { by: "ann" });
      const name = `${where.prefix}assistant`;
      const { version: three } = await pushModel(store, dir.file("m3"), { name });
      const pushed = await pushModel(store, dir.file("m4"), { name, prune: true });
      expect(pushed).toMatchObject({ removed: [three], registered: [one, two] });
      expect(await registry.rollBack("assistant", { by: "bo" })).toMatchObject({ version: 1 });
      await pullModel(store, dir.file("back"), { name, version: one });
    });

    it("leaves a list that it cannot read as it is", async () => {
      await using opened = await open();
      await using dir = await tempDir();
      const { store } = opened;
      await write(dir.file("m"), 1);
      const key = `${where.prefix}stagecraft-registry.json`;
      await store.writeState(key, Buffer.from("[]"), undefined);
      await expect(registryOf(store).add("assistant", dir.file("m"))).rejects.toMatchObject({
        code: "data_loss",
      });
      expect(Buffer.from((await store.readState(key))!.content).toString()).toBe("[]");
    });

    it("a state is written only while it is what was read", async () => {
      await using opened = await open();
      const { store } = opened;
      await store.writeState("a.json", Buffer.from("1"), undefined);
      const first = (await store.readState("a.json"))!;
      await store.writeState("a.json", Buffer.from("2"), first);
      for (const before of [first, undefined]) {
        await expect(store.writeState("a.json", Buffer.from("3"), before)).rejects.toMatchObject({
          code: "aborted",
        });
      }
      expect(Buffer.from((await store.readState("a.json"))!.content).toString()).toBe("2");
      expect(await store.readState("none.json")).toBeUndefined();
    });
  });
}

async function contentOf({
  name,
  sizeBytes,
  read,
}: Awaited<ReturnType<ModelRegistry["files"]>>[number]) {
  const chunks: Uint8Array[] = [];
  for await (const chunk of read()) chunks.push(chunk);
  return [name, sizeBytes, Buffer.concat(chunks).toString("base64")];
}

function lineageAbout(): Parameters<typeof writeLineage>[1] {
  const at = now().toISOString();
  return {
    ...{ stage: "ppo", seed: 1, config: {}, parents: [], data: [], figures: { score: 2 } },
    ...{ versions: {}, commit: "unknown", ancestors: [], numAncestorsLeftOut: 0 },
    times: { startedAt: at, finishedAt: at },
  };
}
