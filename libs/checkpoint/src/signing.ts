import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from "node:crypto";
import { readFile } from "node:fs/promises";
import { StagecraftError } from "@stagecraft/core";

/** Signs statements with a private key (Ed25519). */
export interface Signer {
  /** Names the public half, in signatures and messages. */
  readonly keyId: string;
  /** `what` keeps a signature of one kind of thing from standing for another. */
  sign(what: string, statement: string): string;
}

/** Checks statements against public keys. */
export interface Verifier {
  /** Throws `permission_denied`, naming `subject`, unless one of the keys has signed the statement. */
  check(
    subject: string,
    claim: { what: string; statement: string; signature: string | undefined },
  ): void;
}

/** A new pair of keys as PEM texts: PKCS 8 and SPKI, as `openssl genpkey -algorithm ed25519` makes them. */
export function createKeyPair(): { privateKey: string; publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return {
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    publicKey: publicKey.export({ type: "spki", format: "pem" }).toString(),
  };
}

/** Undefined without a file. Throws `not_found`, or `invalid_argument` for what is no private key. */
export async function readSigner(file: string | undefined): Promise<Signer | undefined> {
  if (!file) return undefined;
  const key = await readKey(file, createPrivateKey, "an Ed25519 private key");
  const keyId = idOf(createPublicKey(key));
  return {
    keyId,
    sign: (what, statement) =>
      `${keyId}:${sign(null, signedBytes(what, statement), key).toString("base64")}`,
  };
}

/** Undefined without files: then nothing is checked. */
export async function readVerifier(files: readonly string[]): Promise<Verifier | undefined> {
  if (files.length === 0) return undefined;
  const keys = new Map<string, KeyObject>();
  for (const file of files) {
    const key = await readKey(file, createPublicKey, "an Ed25519 public key");
    keys.set(idOf(key), key);
  }
  return {
    check(subject, { what, statement, signature }) {
      const trusted = `trusted: ${[...keys.keys()].join(", ")}`;
      if (signature === undefined) throw refused(`${subject} is not signed (${trusted})`);
      const [keyId = "", value = ""] = signature.split(":");
      const key = keys.get(keyId);
      if (!key) throw refused(`${subject} is signed by key ${keyId.slice(0, 16)} (${trusted})`);
      const bytes = signedBytes(what, statement);
      if (verify(null, bytes, key, Buffer.from(value, "base64"))) return;
      throw refused(`${subject} is not what key ${keyId} has signed`);
    },
  };
}

async function readKey(
  file: string,
  parse: (pem: string) => KeyObject,
  wanted: string,
): Promise<KeyObject> {
  let pem: string;
  try {
    pem = await readFile(file, "utf8");
  } catch (cause) {
    throw new StagecraftError("not_found", `cannot read the key file ${file}`, { cause });
  }
  try {
    const key = parse(pem);
    if (key.asymmetricKeyType === "ed25519") return key;
  } catch {
    // Told below, without a word of the content.
  }
  throw new StagecraftError(
    "invalid_argument",
    `${file} does not hold ${wanted} (PEM); make a pair with "stagecraft keys create"`,
  );
}

function signedBytes(what: string, statement: string): Buffer {
  return Buffer.from(`stagecraft signature 1\n${what}\n${statement}`);
}

function idOf(publicKey: KeyObject): string {
  const der = publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(der).digest("hex").slice(0, 16);
}

function refused(reason: string): StagecraftError {
  return new StagecraftError(
    "permission_denied",
    `${reason}; it is not loaded. Sign it with the trainer's key, or name its public key`,
  );
}
