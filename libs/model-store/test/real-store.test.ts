/**
 * The contract of stores, and what goes wrong on a network, against a real S3-compatible store:
 *
 *   STAGECRAFT_S3_ENDPOINT=http://127.0.0.1:4568 STAGECRAFT_S3_BUCKET=models STAGECRAFT_S3_ACCESS_KEY_ID=… \
 *     STAGECRAFT_S3_SECRET_ACCESS_KEY=… npx vitest run libs/model-store/test/real-store.test.ts
 *
 * STAGECRAFT_S3_CONDITIONS=none for a store that does not write on conditions (OpenStack Swift, s3rver), which
 * has no registry. Ceph's (radosgw 16, of Debian 12) passes all of it. Everything lies below `stagecraft-test-…` in
 * the bucket and is removed in the end.
 */
import { createServer, connect, type AddressInfo } from "node:net";

import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import {
  createS3Store,
  createTransferProgress,
  pullModel,
  pushModel,
  type RemoteStore,
} from "../src/index.js";
import { describeStoreRegistry } from "./registry-contract.js";
import { contentOf, describeStore, writeModel } from "./store-contract.js";

const of = (name: string) => process.env[`STAGECRAFT_S3_${name}`] ?? "";
const endpoint = of("ENDPOINT");
const options = {
  ...{ region: of("REGION") || "us-east-1", bucket: of("BUCKET"), partBytes: 5 * 1024 ** 2 },
  credentials: { accessKeyId: of("ACCESS_KEY_ID"), secretAccessKey: of("SECRET_ACCESS_KEY") },
};
const PART = options.partBytes;
const isThere = endpoint !== "" && options.bucket !== "";
let numOpened = 0;

/** A store below a folder of its own. */
function openAt(url: string) {
  const prefix = `stagecraft-test-${process.pid}-${Date.now()}-${++numOpened}/`;
  const store = createS3Store({ ...options, endpoint: url });
  const below: RemoteStore = {
    ...store,
    read: (key) => store.read(prefix + key),
    write: (key, content) => store.write(prefix + key, content),
    readState: (key) => store.readState(prefix + key),
    writeState: (key, content, before) => store.writeState(prefix + key, content, before),
    upload: (key, file, how) => store.upload(prefix + key, file, how),
    download: (key, from, how) => store.download(prefix + key, from, how),
    list: async (start) =>
      (await store.list(prefix + start)).map((key) => key.slice(prefix.length)),
    remove: (key) => store.remove(prefix + key),
  };
  return {
    store: below,
    async [Symbol.asyncDispose]() {
      for (const key of await store.list(prefix)) await store.remove(key);
    },
  };
}

/** Passes bytes on, and cuts the next connections after so many bytes of answers. */
async function startCuttingProxy() {
  const { hostname, port } = new URL(endpoint);
  const cuts: number[] = [];
  const server = createServer((near) => {
    const far = connect(Number(port) || 80, hostname);
    let rest = Infinity;
    far.on("data", (data) => {
      if (rest === Infinity && cuts.length > 0 && data.length > 4096) rest = cuts.shift()!;
      near.write(data.subarray(0, rest));
      rest -= data.length;
      if (rest <= 0) near.destroy();
    });
    near.pipe(far);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, cuts, [Symbol.asyncDispose]: async () => void server.close() };
}

describe.skipIf(!isThere)(
  "a real store (skipped without STAGECRAFT_S3_ENDPOINT and _BUCKET)",
  () => {
    const open = () => Promise.resolve(openAt(endpoint));
    describeStore("S3", open, PART);
    const where = { scheme: "s3", bucket: options.bucket, prefix: "team/" } as const;
    if (of("CONDITIONS") !== "none") describeStoreRegistry("S3", open, { where, part: PART });

    it.runIf(of("CONDITIONS") === "none")(
      "refuses a registry by name, and leaves nothing of it",
      async () => {
        await using opened = openAt(endpoint);
        const writing = opened.store.writeState("list.json", Buffer.from("{}"), undefined);
        await expect(writing).rejects.toMatchObject({ code: "unimplemented" });
        expect(await opened.store.list("")).toEqual([]);
      },
    );

    it("connections that are cut are gone on with, and said", async () => {
      await using proxy = await startCuttingProxy();
      await using opened = openAt(proxy.url);
      await using dir = await tempDir();
      await writeModel(dir.file("model"), 1, PART);
      await pushModel(opened.store, dir.file("model"), { name: "m" });
      proxy.cuts.push(3 * 1024 ** 2, 1024 ** 2);
      const said: string[] = [];
      const progress = createTransferProgress((line) => said.push(line));
      await pullModel(opened.store, dir.file("back"), { name: "m", progress });
      expect(await contentOf(dir.file("back"))).toEqual(await contentOf(dir.file("model")));
      expect(said.filter((line) => line.includes("cut the connection"))).toHaveLength(2);
    });

    it("a wrong secret, and a bucket that is not there, are told by what to look at", async () => {
      const credentials = { ...options.credentials, secretAccessKey: "another" };
      const wrong = createS3Store({ ...options, endpoint, credentials });
      await expect(wrong.read("a")).rejects.toMatchObject({
        code: "permission_denied",
        message: expect.stringContaining("look at s3AccessKeyId") as string,
      });
      const none = createS3Store({ ...options, endpoint, bucket: "stagecraft-none-such" });
      await using dir = await tempDir();
      await writeModel(dir.file("model"), 1, PART);
      await expect(pushModel(none, dir.file("model"), { name: "m" })).rejects.toMatchObject({
        message: expect.stringContaining("NoSuchBucket") as string,
      });
    });

    it("lists more keys than a page has, with names that need signing as they are", async () => {
      await using opened = openAt(endpoint);
      const keys = Array.from({ length: 1005 }, (_, i) => `p/${String(i).padStart(4, "0")}`);
      for (let at = 0; at < keys.length; at += 50) {
        await Promise.all(
          keys.slice(at, at + 50).map((key) => opened.store.write(key, Buffer.from(key))),
        );
      }
      expect((await opened.store.list("p/")).sort()).toEqual(keys);
      await opened.store.write("q/a b+c(1)~é", Buffer.from("x"));
      expect(await opened.store.list("q/")).toEqual(["q/a b+c(1)~é"]);
      expect(Buffer.from((await opened.store.read("q/a b+c(1)~é"))!).toString()).toBe("x");
    }, 60_000);
  },
);
