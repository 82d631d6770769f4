import { writeFileSync } from "node:fs";
import { readdir, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { createJetStreamBus, createMemoryBus, type EventBus } from "@stagecraft/bus";
import { hasNatsServer, NATS_MISSING, startNatsServer, tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import {
  createNatsStore,
  createS3Store,
  createTransferProgress,
  localModel,
  openStoreRegistry,
  pullModel,
  pushModel,
  type RemoteStore,
  type StoreSettings,
} from "../src/index.js";
import { startS3Double } from "./s3-double.js";
import { describeStoreRegistry } from "./registry-contract.js";
import { contentOf, describeStore, PART, writeModel, type Opened } from "./store-contract.js";

const credentials = { accessKeyId: "key", secretAccessKey: "secret of twenty chars" };
const region = "eu-central-1";

async function openS3() {
  const double = await startS3Double({ region, credentials });
  const store = createS3Store({
    ...{ endpoint: double.url, region, bucket: "models", credentials, partBytes: PART },
  });
  return { double, store, [Symbol.asyncDispose]: () => double[Symbol.asyncDispose]() };
}

describeStore("S3", openS3);
const s3Folder = { scheme: "s3", bucket: "models", prefix: "team/" } as const;
describeStoreRegistry("S3", openS3, { where: s3Folder });

const openOn = (bus: EventBus, close: () => PromiseLike<void>): Opened => {
  const store = createNatsStore({ bus, bucket: "models_main", replicas: 1, partBytes: PART });
  return { store, [Symbol.asyncDispose]: close };
};

const openMemory = () => {
  const bus = createMemoryBus();
  return Promise.resolve(openOn(bus, () => bus.close()));
};

const broker = { scheme: "nats", bucket: "", prefix: "" } as const;
describeStore("broker in memory", openMemory);
describeStoreRegistry("broker in memory", openMemory, { where: broker });

describe.skipIf(!hasNatsServer())(`real nats-server (skipped when: ${NATS_MISSING})`, () => {
  const openJetStream = async () => {
    const server = await startNatsServer();
    const bus = await createJetStreamBus({ servers: server.url });
    return openOn(bus, async () => {
      await bus.close();
      await server[Symbol.asyncDispose]();
    });
  };
  describeStore("JetStream object store", openJetStream);
  describeStoreRegistry("JetStream", openJetStream, { where: { ...broker, prefix: "team/" } });
});

describe("broker alone", () => {
  it("a push leaves the copies of a bucket that is there as they are, whatever the pusher's setting", async () => {
    await using dir = await tempDir();
    await using bus = createMemoryBus();
    const asked: (number | undefined)[] = [];
    const ensureBucket: EventBus["ensureBucket"] = (bucket, options) => {
      asked.push(options?.replicas);
      return bus.ensureBucket(bucket, options);
    };
    const storeOf = (replicas: number) =>
      createNatsStore({ bus: { ...bus, ensureBucket }, bucket: "models_main", replicas });
    for (const [fill, replicas] of [
      [1, 3],
      [2, 1],
    ] as const) {
      await writeModel(dir.file("m"), fill);
      await pushModel(storeOf(replicas), dir.file("m"), { name: "m" });
    }
    expect(asked).toEqual([3]);
  });
});

describe("S3 alone", () => {
  it("parts that are there and the same are not sent again; a file that another wrote in part is", async () => {
    await using opened = await openS3();
    await using dir = await tempDir();
    const { double, store } = opened;
    await writeModel(dir.file("model"), 5);
    double.failures.push({ match: /partNumber=3/, status: 403, times: 1 });
    await expect(pushModel(store, dir.file("model"), { name: "m" })).rejects.toMatchObject({
      code: "permission_denied",
      message: expect.stringContaining("look at s3AccessKeyId") as string,
    });
    const before = double.calls.length;
    await pushModel(store, dir.file("model"), { name: "m" });
    const sent = double.calls.slice(before).map((line) => /partNumber=(\d)/.exec(line)?.[1]);
    expect(sent.filter(Boolean)).toEqual(["3", "4"]);
    await pullModel(store, dir.file("back"), { name: "m" });
    expect(await contentOf(dir.file("back"))).toEqual(await contentOf(dir.file("model")));
  });

  it("what may pass is tried again: a busy store, a connection that is cut", async () => {
    await using opened = await openS3();
    await using dir = await tempDir();
    const { double, store } = opened;
    await writeModel(dir.file("model"), 6);
    double.failures.push({ match: /^PUT/, status: 503, times: 1 });
    await pushModel(store, dir.file("model"), { name: "m" });
    await pullModel(store, dir.file("warm"), { name: "m" });
    double.cutAfterBytes = 2 * PART;
    await rm(dir.file("warm"), { recursive: true });
    const said: string[] = [];
    const progress = createTransferProgress((line) => said.push(line));
    await pullModel(store, dir.file("back"), { name: "m", progress });
    expect(said[0]).toMatch(
      /^model\.safetensors: s3:\/\/models cut the connection \(.*\); attempt 2 of 5 goes on at [\d.]+ \w+$/,
    );
    expect(await contentOf(dir.file("back"))).toEqual(await contentOf(dir.file("model")));
  });

  it("a store that only ever cuts is given up after five attempts without a byte", async () => {
    await using opened = await openS3();
    await using dir = await tempDir();
    const { double, store } = opened;
    await writeModel(dir.file("model"), 6);
    await pushModel(store, dir.file("model"), { name: "m" });
    let numAsked = 0;
    const cutting: RemoteStore = {
      ...store,
      download: (key, from, how) => {
        if (!key.endsWith("model.safetensors")) return store.download(key, from, how);
        numAsked++;
        double.cutAfterBytes = 0;
        return store.download(key, from, how);
      },
    };
    await expect(pullModel(cutting, dir.file("back"), { name: "m" })).rejects.toMatchObject({
      code: "unavailable",
    });
    expect(numAsked).toBe(5);
  });

  it("a store that cannot list uploads gets all parts, and is asked once", async () => {
    await using opened = await openS3();
    await using dir = await tempDir();
    const { double, store } = opened;
    await writeModel(dir.file("model"), 6);
    const lists = { match: /^GET models\?uploads/, status: 501, times: 9 };
    double.failures.push(lists);
    await pushModel(store, dir.file("model"), { name: "m" });
    expect(lists.times).toBe(8);
    await pullModel(store, dir.file("back"), { name: "m" });
    expect(await contentOf(dir.file("back"))).toEqual(await contentOf(dir.file("model")));
  });

  it("a store that does not look at conditions gets no registry: a change of two would be lost", async () => {
    await using dir = await tempDir();
    await writeModel(dir.file("model"), 6);
    const cases = [
      ["if-match", "ignored"],
      ["if-none-match", "ignored"],
      ["if-match", "unknown"], // as OpenStack Swift says
    ] as const;
    for (const [ignored, how] of cases) {
      await using opened = await openS3();
      const { double, store } = opened;
      double.conditions.set(ignored, how);
      const registry = openStoreRegistry(store, s3Folder);
      await expect(registry.add("assistant", dir.file("model"))).rejects.toMatchObject({
        code: "unimplemented",
        message: expect.stringContaining(`does not write on conditions (${ignored})`) as string,
      });
      const left = [...double.objects.keys()].filter((key) => key.includes("registry"));
      expect(left).toEqual([]);
    }
  });

  it("a store that compares ETags without their quotes, as Ceph does, has a registry too", async () => {
    await using opened = await openS3();
    await using dir = await tempDir();
    const { double, store } = opened;
    double.conditions.set("if-match", "kept without quotes");
    for (const fill of [6, 7]) await writeModel(dir.file(`m${fill}`), fill);
    const registry = openStoreRegistry(store, s3Folder);
    for (const fill of [6, 7]) await registry.add("assistant", dir.file(`m${fill}`));
    expect(await registry.versions("assistant")).toHaveLength(2);
    const key = `${s3Folder.prefix}stagecraft-registry.json`;
    const before = (await store.readState(key))!;
    await registry.promote("assistant", 2, { by: "ann" });
    await expect(store.writeState(key, before.content, before)).rejects.toMatchObject({
      code: "aborted",
    });
  });

  it("a store that is full is not asked again and again", async () => {
    await using opened = await openS3();
    const { double, store } = opened;
    double.failures.push({ match: /^PUT/, status: 507, times: 1 });
    await expect(store.write("a", Buffer.from("1"))).rejects.toMatchObject({
      code: "resource_exhausted",
    });
    expect(double.objects.size).toBe(0);
  });

  it("a change whose answer was lost happens once, though its request is repeated", async () => {
    await using opened = await openS3();
    await using dir = await tempDir();
    await writeModel(dir.file("model"), 6);
    let numLost = 0;
    const losing: RemoteStore = {
      ...opened.store,
      async writeState(key, content, before) {
        await opened.store.writeState(key, content, before);
        if (numLost++ === 0) await opened.store.writeState(key, content, before); // repeated
      },
    };
    const registry = openStoreRegistry(losing, s3Folder);
    await registry.add("assistant", dir.file("model"));
    expect(await registry.versions("assistant")).toHaveLength(1);
    expect(numLost).toBe(1);
  });

  it("a wrong secret is told by the store, and keys of strange letters are signed as they are", async () => {
    await using opened = await openS3();
    const { double } = opened;
    const options = { endpoint: double.url, region, bucket: "models" };
    const wrong = createS3Store({
      ...options,
      credentials: { ...credentials, secretAccessKey: "x" },
    });
    await expect(wrong.read("a")).rejects.toMatchObject({
      code: "permission_denied",
      message: expect.stringContaining("SignatureDoesNotMatch") as string,
    });
    const store = createS3Store({ ...options, credentials: { ...credentials, sessionToken: "t" } });
    await store.write("a b+c(1)'é/x", Buffer.from("1"));
    expect([...double.objects.keys()]).toEqual(["models/a b+c(1)'é/x"]);
    expect(await store.list("a b+")).toEqual(["a b+c(1)'é/x"]);
  });
});

describe("two pulls into one directory", () => {
  async function openShared() {
    const opened = await openS3();
    const dir = await tempDir();
    await writeModel(dir.file("model"), 8);
    await pushModel(opened.store, dir.file("model"), { name: "m" });
    return {
      ...{ ...opened, dir },
      async [Symbol.asyncDispose]() {
        await opened[Symbol.asyncDispose]();
        await dir[Symbol.asyncDispose]();
      },
    };
  }
  const keepSaying = (hear: (text: string) => void) => createTransferProgress(hear);

  it("the second waits for the first, and finds the model whole without bringing a byte", async () => {
    await using shared = await openShared();
    const { store, dir } = shared;
    let open = () => undefined as void;
    const gate = new Promise<void>((resolve) => (open = resolve));
    let numBegun = 0;
    const gated: RemoteStore = {
      ...store,
      async *download(key, from, how) {
        if (++numBegun === 2) open(); // the second one brings too: they meet
        await gate;
        yield* store.download(key, from, how);
      },
    };
    const first = pullModel(gated, dir.file("back"), { name: "m" });
    await expect.poll(() => numBegun).toBe(1);
    const said: string[] = [];
    const progress = keepSaying((text) => {
      said.push(text);
      open();
    });
    const second = pullModel(gated, dir.file("back"), { name: "m", progress });
    expect(await first).toMatchObject({ wasThere: false });
    expect(await second).toMatchObject({ wasThere: true });
    expect(said).toEqual([
      `${dir.file("back")}: process ${process.pid} on ${hostname()} brings it already; waiting for it`,
    ]);
    expect(await contentOf(dir.file("back"))).toEqual(await contentOf(dir.file("model")));
    expect((await readdir(dir.path)).sort()).toEqual(["back", "model"]);
  });

  it("one that a lost machine has begun is gone on with when nothing comes in any more", async () => {
    await using shared = await openShared();
    const { store, dir } = shared;
    const lost = { pid: 1, host: "lost.example", token: "x", lockedAt: "then", epoch: 1 };
    await writeFile(dir.file(".back.lock"), JSON.stringify(lost));
    const said: string[] = [];
    const progress = keepSaying((text) => void said.push(text));
    await pullModel(store, dir.file("back"), { name: "m", patienceMs: 1, progress });
    expect(said.slice(0, 2)).toEqual([
      `${dir.file("back")}: process 1 on lost.example brings it already; waiting for it`,
      `${dir.file("back")}: nothing has come in for 0.001 s; going on in its place`,
    ]);
    expect(await contentOf(dir.file("back"))).toEqual(await contentOf(dir.file("model")));
  });

  it("one whose place was taken, and that writes all the same, puts nothing in place", async () => {
    await using opened = await openShared();
    const { dir } = opened;
    const { version } = await pushModel(opened.store, dir.file("model"), { name: "m" });
    const lost = { pid: 1, host: "lost.example", token: "x", lockedAt: "then", epoch: 1 };
    await writeFile(dir.file(".back.lock"), JSON.stringify(lost));
    const written = dir.file(`.back.${version}.partial/model.safetensors`);
    const met: RemoteStore = {
      ...opened.store,
      async *download(key, from, how) {
        for await (const chunk of opened.store.download(key, from, how)) yield chunk;
        if (key.endsWith("model.safetensors")) writeFileSync(written, "opened to write");
      },
    };
    const pull = (store: RemoteStore) =>
      pullModel(store, dir.file("back"), { name: "m", patienceMs: 1 });
    await expect(pull(met)).rejects.toMatchObject({
      code: "data_loss",
      message: expect.stringContaining("another process wrote") as string,
    });
    expect((await readdir(dir.path)).sort()).toEqual(["model"]);
    await pull(opened.store);
    expect(await contentOf(dir.file("back"))).toEqual(await contentOf(dir.file("model")));
  });
});

describe("localModel()", () => {
  it("gives directories back as they are, and models of a store from the cache, hashes checked", async () => {
    await using opened = await openS3();
    await using dir = await tempDir();
    await writeModel(dir.file("model"), 7);
    const { version } = await pushModel(opened.store, dir.file("model"), { name: "a/b" });
    const settings = { modelsCache: dir.file("cache") } as StoreSettings;
    const said: string[] = [];
    const how = {
      settings,
      info: (text: string) => void said.push(text),
      open: () => Promise.resolve(opened.store),
    };
    expect(await localModel(dir.file("model"), how)).toBe(dir.file("model"));
    const found = await localModel("s3://models/a/b", how);
    expect(found).toBe(dir.file(`cache/a_b-${version}`));
    expect(await contentOf(found)).toEqual(await contentOf(dir.file("model")));
    await writeFile(join(found, "config.json"), "{}"); // somebody changed the cache
    await localModel("s3://models/a/b", how);
    expect(await contentOf(found)).toEqual(await contentOf(dir.file("model")));
    expect(said[0]).toBe(`loading s3://models/a/b@${version}`);
    await localModel(`s3://models/a/b@${version}`, how);
    expect(said.at(-1)).toContain(`is in ${found}`);
  });

  it("names that are none are refused", async () => {
    const settings = {} as StoreSettings;
    for (const bad of [
      "s3://",
      "s3://bucket",
      "s3://b/../x",
      "nats://",
      "s3://b/n@zz",
      "nats://a//b",
    ]) {
      await expect(localModel(bad, { settings })).rejects.toMatchObject({
        code: "invalid_argument",
      });
    }
  });
});

describe("createTransferProgress()", () => {
  it("says what is there, of how much, and how fast", () => {
    let at = 0;
    const lines: string[] = [];
    const progress = createTransferProgress((line) => lines.push(line), { now: () => at });
    progress.begin(4 * 1024 ** 2);
    progress.file("model.safetensors");
    at = 1000;
    progress.add(1024 ** 2);
    at = 2000;
    progress.add(1024 ** 2);
    at = 4000;
    progress.add(2 * 1024 ** 2);
    expect(lines).toEqual([
      "model.safetensors  2.00 MiB of 4.00 MiB  50%  1.00 MiB/s",
      "model.safetensors  4.00 MiB of 4.00 MiB  100%  1.00 MiB/s",
    ]);
  });
});
