import { copyFile, cp, readFile, rm, writeFile } from "node:fs/promises";
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { signDirectory, verifyDirectory } from "./signed-directory.js";
import { createKeyPair, readSigner, readVerifier } from "./signing.js";

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
