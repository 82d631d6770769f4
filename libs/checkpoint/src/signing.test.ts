import { copyFile, cp, readFile, rm, writeFile } from "node:fs/promises";
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { tempDir } from "../test/temp-dir.js";
import { createObjectWeightStore, type ObjectBucket } from "./object-weight-store.js";
import { signDirectory, verifyDirectory } from "./signed-directory.js";
import { createKeyPair, readSigner, readVerifier } from "./signing.js";
import { f32 } from "./tensor-entry.js";
import { openWeightStore } from "./weight-store.js";

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
  const whole = async (content: Uint8Array | AsyncIterable<Uint8Array>) => {
    if (content instanceof Uint8Array) return content;
    const parts: Uint8Array[] = [];
    for await (const part of content) parts.push(part);
    return Buffer.concat(parts);
  };
  async function* one(bytes: Uint8Array) {
    yield await Promise.resolve(bytes);
  }
  return {
    put: async (name, content) => objects.set(name, await whole(content)),
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

describe("verifyDirectory()", () => {
  it("takes a model as it was signed and refuses every change", async () => {
    await using dir = await tempDir();
    const { ours, theirs, verifier } = await keysIn(dir.path);
    const model = join(dir.path, "model");
    const reset = async (signer = ours) => {
      await rm(model, { recursive: true, force: true });
      await cp(new URL(".", import.meta.url).pathname, model, {
        recursive: true,
        filter: (source) => !source.endsWith(".test.ts"),
      });
      await signDirectory(model, signer);
    };
    await reset();
    await verifyDirectory(model, verifier);
    const changes: [string, () => Promise<unknown>][] = [
      ["changed", () => writeFile(join(model, "index.ts"), "other")],
      ["added", () => writeFile(join(model, "model.safetensors.index.json"), "{}")],
      ["taken away", () => rm(join(model, "index.ts"))],
      ["renamed", () => copyFile(join(model, "half.ts"), join(model, "index.ts"))],
      ["unsigned", () => rm(join(model, "signature.json"))],
      ["signed by another", () => reset(theirs)],
      ["signature garbled", () => writeFile(join(model, "signature.json"), '{"signature":"a:b"}')],
    ];
    for (const [what, change] of changes) {
      await reset();
      await change();
      await expect(verifyDirectory(model, verifier), what).rejects.toMatchObject(REFUSED);
    }
  });
});

describe("readSigner(), readVerifier()", () => {
  it("refuse what is no Ed25519 key, without showing it", async () => {
    await using dir = await tempDir();
    const rsa = generateKeyPairSync("rsa", { modulusLength: 1024 });
    const file = join(dir.path, "key.pem");
    const texts = ["secret", String(rsa.privateKey.export({ type: "pkcs8", format: "pem" }))];
    for (const text of texts) {
      await writeFile(file, text);
      const signer = readSigner(file);
      await expect(signer).rejects.toMatchObject({ code: "invalid_argument" });
      await expect(signer).rejects.not.toThrow("secret");
      await expect(readVerifier([file])).rejects.toMatchObject({ code: "invalid_argument" });
    }
    await expect(readSigner(join(dir.path, "none"))).rejects.toMatchObject({ code: "not_found" });
    expect(await readSigner("")).toBeUndefined();
    expect(await readVerifier([])).toBeUndefined();
    expect((await readFile(file)).length).toBeGreaterThan(0);
  });
});
