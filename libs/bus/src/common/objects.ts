import { createHash, randomBytes } from "node:crypto";
import { StagecraftError } from "@stagecraft/core";
import type { PublishAck, PublishOptions, StreamSpec } from "../bus.js";
import type { ObjectInfo, ObjectStore } from "../objects.js";
import type { Broker, StoredMessage } from "./broker.js";
import { HEADER } from "./headers.js";

/** Below nats-server's default payload limit of 1 MiB. */
const CHUNK_BYTES = 512 * 1024;

interface Manifest {
  name: string;
  nuid: string;
  size: number;
  chunks: number;
  digest: string;
  bucket: string;
  mtime: string;
  deleted?: boolean;
}

/** The stream behind a bucket, named and laid out as NATS object stores are (ADR-20). */
export function objectStreamSpec(bucket: string, maxBytes: number, replicas: number): StreamSpec {
  return {
    name: `OBJ_${bucket}`,
    subjects: [`$O.${bucket}.C.>`, `$O.${bucket}.M.>`],
    retention: "limits",
    discard: "new",
    maxBytes,
    replicas,
    allowRollup: true,
  };
}

/**
 * Readable by `nats object get`. The client library's own keeps all chunks of a put in flight and
 * cannot repeat one whose answer was lost; here each has an id and follows the one before.
 */
export function createObjectStore(
  bucket: string,
  broker: Pick<Broker, "read" | "purge">,
  publish: (subject: string, data: Uint8Array, options: PublishOptions) => Promise<PublishAck>,
): ObjectStore {
  const stream = `OBJ_${bucket}`;
  const metaSubject = (name: string) =>
    `$O.${bucket}.M.${Buffer.from(name).toString("base64url")}${padding(name)}`;
  const chunkSubject = (nuid: string) => `$O.${bucket}.C.${nuid}`;

  const manifestOf = async (name: string): Promise<Manifest | undefined> => {
    const message = await broker.read(stream, 1, metaSubject(name));
    const manifest = message && parseManifest(message);
    return manifest?.deleted ? undefined : manifest;
  };
  const writeManifest = async (manifest: Manifest) => {
    await publish(metaSubject(manifest.name), Buffer.from(JSON.stringify(manifest)), {
      id: `${manifest.nuid}.${manifest.deleted ? "deleted" : "manifest"}`,
      headers: { [HEADER.rollup]: "sub" },
    });
  };

  return {
    async put(name, content) {
      const old = await manifestOf(name);
      const nuid = randomBytes(12).toString("hex");
      const subject = chunkSubject(nuid);
      const hash = createHash("sha256");
      let size = 0;
      let chunks = 0;
      try {
        for await (const chunk of rechunk(content)) {
          hash.update(chunk);
          size += chunk.length;
          // One at a time: a repeated chunk must not be overtaken by the next.
          await publish(subject, chunk, { id: `${nuid}.${chunks++}` });
        }
      } catch (error) {
        await broker.purge(stream, subject).catch(() => undefined);
        throw error;
      }
      const sha256 = hash.digest();
      const digest = `SHA-256=${sha256.toString("base64url")}=`;
      await writeManifest({
        ...{ name, nuid, size, chunks, digest, bucket },
        mtime: new Date().toISOString(),
      });
      if (old) await broker.purge(stream, chunkSubject(old.nuid));
      return { name, sizeBytes: size, sha256: sha256.toString("hex") };
    },
    async get(name) {
      const manifest = await manifestOf(name);
      if (!manifest) return undefined;
      const chunks = readChunks(broker, stream, chunkSubject(manifest.nuid), manifest);
      return { info: infoOf(manifest), chunks };
    },
    async list() {
      const infos: ObjectInfo[] = [];
      for (let from = 1; ;) {
        const message = await broker.read(stream, from, `$O.${bucket}.M.>`);
        if (!message) return infos;
        const manifest = parseManifest(message);
        if (!manifest.deleted) infos.push(infoOf(manifest));
        from = message.sequence + 1;
      }
    },
    async delete(name) {
      const manifest = await manifestOf(name);
      if (!manifest) return;
      await writeManifest({ ...manifest, deleted: true, size: 0, chunks: 0 });
      await broker.purge(stream, chunkSubject(manifest.nuid));
    },
  };
}

async function* readChunks(
  broker: Pick<Broker, "read">,
  stream: string,
  subject: string,
  manifest: Manifest,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  let from = 1;
  for (let i = 0; i < manifest.chunks; i++) {
    const message = await broker.read(stream, from, subject);
    if (!message) {
      throw new StagecraftError(
        "not_found",
        `object ${manifest.name} lost chunk ${i} of ${manifest.chunks}; it was replaced, get it again`,
      );
    }
    hash.update(message.data);
    yield message.data;
    from = message.sequence + 1;
  }
  if (`SHA-256=${hash.digest("base64url")}=` === manifest.digest) return;
  throw new StagecraftError("data_loss", `object ${manifest.name} does not match its sha256`);
}

/** Chunks of equal size, whatever the sizes that come in. */
async function* rechunk(
  content: Uint8Array | AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const parts = content instanceof Uint8Array ? [content] : content;
  let held: Uint8Array[] = [];
  let numHeld = 0;
  for await (const part of parts) {
    for (let at = 0; at < part.length;) {
      const piece = part.subarray(at, at + CHUNK_BYTES - numHeld);
      held.push(piece);
      numHeld += piece.length;
      at += piece.length;
      if (numHeld < CHUNK_BYTES) continue;
      yield Buffer.concat(held);
      held = [];
      numHeld = 0;
    }
  }
  if (numHeld > 0) yield Buffer.concat(held);
}

function parseManifest(message: StoredMessage): Manifest {
  return JSON.parse(Buffer.from(message.data).toString()) as Manifest;
}

function infoOf({ name, size, digest }: Manifest): ObjectInfo {
  const sha256 = Buffer.from(digest.replace(/^SHA-256=/, ""), "base64url").toString("hex");
  return { name, sizeBytes: size, sha256 };
}

/** NATS writes base64url with padding. */
function padding(name: string): string {
  return "=".repeat((3 - (Buffer.byteLength(name) % 3)) % 3);
}
