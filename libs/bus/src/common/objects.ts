import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { formatBytes, StagecraftError, type ErrorCode } from "@stagecraft/core";
import type { BucketOptions, PublishAck, PublishOptions, StreamSpec } from "../bus.js";
import type { ObjectInfo, ObjectStore } from "../objects.js";
import type { Broker, StoredMessage } from "./broker.js";
import { HEADER } from "./headers.js";
import { storeChunks } from "./object-chunks.js";

const PURGE_ATTEMPTS = 12;
const PURGE_WAIT_MS = 100;
/** Whoever puts much there reserves it first: what a broker has promised, nobody else gets. */
const NEW_BUCKET_BYTES = 16 * 1024 ** 2;

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
export function objectStreamSpec(bucket: string, options: BucketOptions): StreamSpec {
  const { maxBytes, startBytes = NEW_BUCKET_BYTES, replicas = 1 } = options;
  return {
    name: `OBJ_${bucket}`,
    subjects: [`$O.${bucket}.C.>`, `$O.${bucket}.M.>`],
    retention: "limits",
    discard: "new",
    maxBytes: maxBytes ?? startBytes,
    keepSize: maxBytes === undefined,
    replicas,
    allowRollup: true,
  };
}

/**
 * Readable by `nats object get`. The client library's own keeps all chunks of a put in flight and
 * cannot repeat one whose answer was lost; here each has an id, and their order is looked at.
 */
export function createObjectStore(
  bucket: string,
  broker: Pick<Broker, "read" | "purge" | "resize" | "subjects" | "streamInfo">,
  publish: (subject: string, data: Uint8Array, options: PublishOptions) => Promise<PublishAck>,
): ObjectStore {
  const stream = `OBJ_${bucket}`;
  const metaSubject = (name: string) =>
    `$O.${bucket}.M.${Buffer.from(name).toString("base64url")}${padding(name)}`;
  const chunkSubject = (nuid: string) => `$O.${bucket}.C.${nuid}`;

  // Removing gigabytes takes a broker longer than it may take to answer; doing it again does no harm.
  const purge = (subject: string) => untilAnswered(() => broker.purge(stream, subject));

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

  const manifests = async () => {
    const found: Manifest[] = [];
    for (let from = 1; ;) {
      const message = await broker.read(stream, from, `$O.${bucket}.M.>`);
      if (!message) return found;
      const manifest = parseManifest(message);
      if (!manifest.deleted) found.push(manifest);
      from = message.sequence + 1;
    }
  };

  return {
    async put(name, content) {
      const old = await manifestOf(name);
      const { nuid, size, chunks, sha256 } = await storeChunks(content, {
        store: async (id, chunk, nuid) =>
          (await publish(chunkSubject(nuid), chunk, { id })).sequence,
        drop: (nuid) => purge(chunkSubject(nuid)),
      });
      const digest = `SHA-256=${sha256.toString("base64url")}=`;
      await writeManifest({
        ...{ name, nuid, size, chunks, digest, bucket },
        mtime: new Date().toISOString(),
      });
      if (old) await purge(chunkSubject(old.nuid));
      return { name, sizeBytes: size, sha256: sha256.toString("hex") };
    },
    async get(name) {
      const manifest = await manifestOf(name);
      if (!manifest) return undefined;
      const chunks = readChunks(broker, stream, chunkSubject(manifest.nuid), manifest);
      return { info: infoOf(manifest), chunks };
    },
    async list() {
      return (await manifests()).map(infoOf);
    },
    async delete(name) {
      const manifest = await manifestOf(name);
      if (!manifest) return;
      await writeManifest({ ...manifest, deleted: true, size: 0, chunks: 0 });
      await purge(chunkSubject(manifest.nuid));
    },
    async sweep() {
      const used = new Set((await manifests()).map(({ nuid }) => chunkSubject(nuid)));
      const all = await broker.subjects(stream, `$O.${bucket}.C.>`);
      const left = all.filter((subject) => !used.has(subject));
      for (const subject of left) await purge(subject);
      return left.length;
    },
    async reserve(bytes, { grow }) {
      const wanted = Math.ceil(bytes);
      const { maxBytes } = await broker.streamInfo(stream);
      if (maxBytes >= wanted) return;
      if (!grow) throw tooSmall(bucket, { maxBytes, wanted });
      await broker.resize(stream, wanted).catch((thrown: unknown) => {
        throw tooSmall(bucket, { maxBytes, wanted }, StagecraftError.from(thrown));
      });
    },
  };
}

async function untilAnswered(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (thrown) {
      const isLate = StagecraftError.from(thrown).code === "unavailable";
      if (!isLate || attempt === PURGE_ATTEMPTS) throw thrown;
      await delay(PURGE_WAIT_MS);
    }
  }
}

function tooSmall(
  bucket: string,
  { maxBytes, wanted }: { maxBytes: number; wanted: number },
  cause?: StagecraftError,
): StagecraftError {
  const sizes = `bucket ${bucket} holds ${formatBytes(maxBytes)}, ${formatBytes(wanted)} are needed`;
  const reasons: Partial<Record<ErrorCode, string>> = {
    permission_denied: "; this user may not make it larger",
    resource_exhausted: "; the broker has no room for a larger one",
  };
  const reason = cause ? (reasons[cause.code] ?? `: ${cause.reason}`) : "";
  const code = cause?.code === "unavailable" ? "unavailable" : "failed_precondition";
  const details = { bucket, maxBytes, wanted };
  return new StagecraftError(code, `${sizes}${reason}`, { cause, details });
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
