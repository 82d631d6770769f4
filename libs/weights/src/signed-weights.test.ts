import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createKeyPair, f32, readSigner, readVerifier } from "@stagecraft/checkpoint";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { openWeightStore } from "./directory-store.js";
import { createObjectWeightStore, type ObjectBucket } from "./object-store.js";

const weights = new Map([["w", f32([2], Float32Array.of(1, 2))]]);
const REFUSED = { code: "permission_denied" };

/** Two pairs of keys as files, one trusted. */
async function keysIn(path: string) {
  for (const name of ["ours", "theirs"]) {
    const { privateKey, publicKey } = createKeyPair();
    await writeFile(join(path, `${name}.pem`), privateKey);
    await writeFile(join(path, `${name}.pub`), publicKey);
  }
  const [ours, theirs] = await Promise.all(
    ["ours", "theirs"].map((name) => readSigner(join(path, `${name}.pem`))),
  );
  const verifier = (await readVerifier([join(path, "ours.pub")]))!;
  return { ours: ours!, theirs: theirs!, verifier };
}

function memoryBucket(): ObjectBucket {
  const objects = new Map<string, Uint8Array>();
  async function* one(bytes: Uint8Array) {
    yield await Promise.resolve(bytes);
  }
  return {
    put: (name, content) => {
      const whole = content instanceof Uint8Array ? content : Buffer.concat([...content()]);
      return Promise.resolve(objects.set(name, whole));
    },
    get: (name) => {
      const bytes = objects.get(name);
      return Promise.resolve(bytes && { chunks: one(bytes) });
    },
    list: () => Promise.resolve([...objects.keys()].map((name) => ({ name }))),
    delete: (name) => Promise.resolve(void objects.delete(name)),
  };
}

describe("signed weights", () => {
  it("are fetched when a trusted key has signed them, from a directory and from objects", async () => {
    await using dir = await tempDir();
    const { ours, theirs, verifier } = await keysIn(dir.path);
    const bucket = memoryBucket();
    const stores = [
      (keys: object) => openWeightStore(join(dir.path, "store"), keys),
      (keys: object) => createObjectWeightStore(bucket, keys),
    ];
    for (const open of stores) {
      await open({ signer: ours }).publish(1, weights);
      await open({ signer: theirs }).publish(2, weights);
      await open({}).publish(3, weights);
      const reader = open({ verifier });
      expect(await reader.fetch(1)).toEqual(weights);
      await expect(reader.fetch(2)).rejects.toMatchObject(REFUSED);
      await expect(reader.fetch(2)).rejects.toThrow(`signed by key ${theirs.keyId}`);
      await expect(reader.fetch(3)).rejects.toThrow("weights 3 is not signed");
      expect(await open({}).fetch(3)).toEqual(weights); // by configuration
    }
  });

  it("of one version do not stand for another", async () => {
    await using dir = await tempDir();
    const { ours, verifier } = await keysIn(dir.path);
    const root = join(dir.path, "store");
    await openWeightStore(root, { signer: ours }).publish(1, weights);
    await cp(join(root, "v-000001"), join(root, "v-000009"), { recursive: true });
    await expect(openWeightStore(root, { verifier }).fetch(9)).rejects.toMatchObject(REFUSED);
  });
});
