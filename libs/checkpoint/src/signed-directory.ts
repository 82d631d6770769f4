import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { StagecraftError } from "@stagecraft/core";
import { atomicWriteFile } from "./atomic-write.js";
import type { Signer, Verifier } from "./signing.js";

/** Beside the files that it is about. */
const SIGNATURE_FILE = "signature.json";

interface SignatureFile {
  /** Hex sha256 by name. */
  files: Record<string, string>;
  signature: string;
}

/** Signs the files of a model directory; what is added or changed later is refused. */
export async function signDirectory(directory: string, signer: Signer): Promise<void> {
  const files = await hashFiles(directory);
  const signature = signer.sign("model", statementOf(files));
  const content: SignatureFile = { files, signature };
  await atomicWriteFile(
    join(directory, SIGNATURE_FILE),
    `${JSON.stringify(content, undefined, 2)}\n`,
  );
}

/**
 * Throws `permission_denied` unless the directory holds exactly the files that a trusted key has signed,
 * bit for bit. Folders in it are not looked at: no loader reads them.
 */
export async function verifyDirectory(directory: string, verifier: Verifier): Promise<void> {
  const subject = `model ${directory}`;
  const { signature } = await readSignature(directory);
  // The hashes of what is there, not those that the file claims.
  const statement = statementOf(await hashFiles(directory));
  verifier.check(subject, { what: "model", statement, signature });
}

async function readSignature(directory: string): Promise<Partial<SignatureFile>> {
  const file = join(directory, SIGNATURE_FILE);
  try {
    const parsed = JSON.parse(await readFile(file, "utf8")) as { signature?: unknown } | null;
    return typeof parsed?.signature === "string" ? { signature: parsed.signature } : {};
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new StagecraftError("data_loss", `${file} cannot be read as JSON; sign the model again`);
  }
}

async function hashFiles(directory: string): Promise<Record<string, string>> {
  const names = (await readdir(directory, { withFileTypes: true }))
    .filter((entry) => !entry.isDirectory() && entry.name !== SIGNATURE_FILE)
    .map(({ name }) => name)
    .sort();
  const hashes: Record<string, string> = {};
  for (const name of names) hashes[name] = await hashFile(join(directory, name));
  return hashes;
}

async function hashFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}

function statementOf(files: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1)));
}
