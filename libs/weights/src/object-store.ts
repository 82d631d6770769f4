import { decodeSafetensors, encodeSafetensorsChunks, sha256InTurns } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";
import {
  checkHash,
  checkSignature,
  nameOfVersion,
  prunedVersions,
  signWeights,
  unknownVersion,
  versionsAmong,
  versionTaken,
  type WeightKeys,
  type WeightManifest,
  type WeightStore,
} from "./weight-store.js";

/** The part of an object store that weights need; the bus's stores are of this shape. */
export interface ObjectBucket {
  put(name: string, content: Uint8Array | (() => Iterable<Uint8Array>)): Promise<unknown>;
  /** Chunks throw at their end when the content is not what was put. */
  get(name: string): Promise<{ chunks: AsyncIterable<Uint8Array> } | undefined>;
  list(): Promise<readonly { name: string }[]>;
  delete(name: string): Promise<void>;
  sweep?(): Promise<unknown>;
  reserve?(bytes: number, options: { grow: boolean }): Promise<void>;
}

const MANIFEST_SUFFIX = ".json";

/**
 * A weight store in an object store, for processes that share no disk: `v-NNNNNN.json` says what the
 * version is and is written last; the content's name carries its hash, so that two publishers never
 * mix.
 */
export function createObjectWeightStore(objects: ObjectBucket, keys: WeightKeys = {}): WeightStore {
  const versions = async () => {
    const names = (await objects.list()).map(({ name }) => name);
    return versionsAmong(names, MANIFEST_SUFFIX);
  };
  const manifestOf = async (version: number): Promise<WeightManifest | undefined> => {
    const found = await objects.get(manifestName(version));
    if (!found) return undefined;
    return JSON.parse(Buffer.from(await join(found.chunks)).toString()) as WeightManifest;
  };

  return {
    async publish(version, tensors, { step = version } = {}) {
      const chunks = encodeSafetensorsChunks(tensors);
      const sha256 = await sha256InTurns(chunks);
      const present = await manifestOf(version);
      if (present?.sha256 === sha256) return present;
      if (present) throw versionTaken(version);
      const sizeBytes = chunks.reduce((sum, { length }) => sum + length, 0);
      const facts = { version, sha256, sizeBytes, step };
      const { signer } = keys;
      const manifest = { ...facts, ...(signer && { signature: signWeights(facts, signer) }) };
      await objects.put(contentName(manifest), () => chunks);
      await objects.put(manifestName(version), Buffer.from(JSON.stringify(manifest)));
      return manifest;
    },
    async fetch(version, sha256) {
      const manifest = await manifestOf(version);
      const found = manifest && (await objects.get(contentName(manifest)));
      if (!manifest || !found) throw unknownVersion("the object store", version);
      checkHash(manifest, sha256);
      checkSignature({ ...manifest, version }, keys); // before hundreds of megabytes are read for nothing
      const name = contentName(manifest);
      const bytes = await join(found.chunks, manifest.sizeBytes);
      if ((await sha256InTurns(bytes)) !== manifest.sha256) {
        throw new StagecraftError("data_loss", `object ${name} is not what its manifest says`);
      }
      return decodeSafetensors(bytes, `object ${name}`).tensors;
    },
    async latest() {
      const version = (await versions()).at(-1);
      return version === undefined ? undefined : manifestOf(version);
    },
    async prune(keep, spare) {
      const removed = prunedVersions(await versions(), keep, spare);
      for (const version of removed) {
        const manifest = await manifestOf(version);
        await objects.delete(manifestName(version));
        if (manifest) await objects.delete(contentName(manifest));
      }
      return removed;
    },
    async sweep() {
      await objects.sweep?.();
    },
    async reserve(bytes, how) {
      await objects.reserve?.(bytes, how);
    },
  };
}

async function join(chunks: AsyncIterable<Uint8Array>, sizeBytes?: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts, sizeBytes);
}

function manifestName(version: number): string {
  return nameOfVersion(version, MANIFEST_SUFFIX);
}

function contentName({ version, sha256 }: WeightManifest): string {
  return nameOfVersion(version, `.${sha256}.safetensors`);
}
