import { mkdir, readdir, writeFile } from "node:fs/promises";
import { createMemoryBus } from "@stagecraft/bus";
import { StagecraftError } from "@stagecraft/core";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { bringModels, createNatsStore, pushModel, type StoreSettings } from "../src/index.js";
import { writeModel } from "./store-contract.js";

async function createRig() {
  const dir = await tempDir();
  const store = createNatsStore({ bus: createMemoryBus(), bucket: "models_main", replicas: 1 });
  const said: string[] = [];
  const stop = new AbortController();
  let numAway = 1;
  const options = {
    settings: { modelsCache: dir.file("cache") } as StoreSettings,
    ...{ info: (text: string) => void said.push(text), everyMs: 1, signal: stop.signal },
    open: () =>
      numAway-- > 0
        ? Promise.reject(new StagecraftError("unavailable", "the broker does not answer"))
        : Promise.resolve(store),
  };
  await writeModel(dir.file("m"), 1);
  return {
    dir,
    store,
    said,
    stop,
    options,
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

describe("bringModels()", () => {
  it("waits for a store that is away and for a model that is not there, says each once, and brings it", async () => {
    await using rig = await createRig();
    const bringing = bringModels(["nats://policy"], rig.options);
    await expect.poll(() => rig.said.length).toBe(2);
    expect(rig.said).toEqual([
      "waiting for a model: the broker does not answer",
      expect.stringMatching(/waiting for a model: nats:\/\/ has no model policy: .*models push/),
    ]);
    const { version } = await pushModel(rig.store, rig.dir.file("m"), { name: "policy" });
    await bringing;
    expect(await readdir(rig.dir.file("cache"))).toEqual([`policy-${version}`]);
  });

  it("waits for a directory until it has a model, and ends when it is told to", async () => {
    await using rig = await createRig();
    const bringing = bringModels([rig.dir.file("later")], rig.options);
    await expect
      .poll(() => rig.said)
      .toEqual([`waiting for a model: ${rig.dir.file("later")} has no config.json`]);
    await mkdir(rig.dir.file("later"));
    await writeFile(rig.dir.file("later/config.json"), "{}");
    await bringing;
    const never = bringModels([rig.dir.file("never")], rig.options);
    rig.stop.abort();
    await expect(never).rejects.toMatchObject({ code: "cancelled" });
  });

  it("does not wait where waiting helps nobody", async () => {
    await using rig = await createRig();
    const open = () => Promise.reject(new StagecraftError("permission_denied", "wrong key"));
    await expect(bringModels(["nats://policy"], { ...rig.options, open })).rejects.toThrow(
      "wrong key",
    );
  });
});
