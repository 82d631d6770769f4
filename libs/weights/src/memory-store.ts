import { sha256OfTensors, type TensorMap } from "@stagecraft/checkpoint";
import { sizeOfWeights } from "./room.js";
import {
  checkHash,
  nameOfVersion,
  prunedVersions,
  unknownVersion,
  versionTaken,
  type WeightManifest,
  type WeightStore,
} from "./weight-store.js";

/** A weight store for publisher and readers in one process; the newest versions, never on disk. */
export function createMemoryWeightStore(): WeightStore {
  const versions = new Map<number, { manifest: WeightManifest; tensors: TensorMap }>();
  const numbers = () => [...versions.keys()].sort((a, b) => a - b);
  return {
    async publish(version, tensors, { step = version } = {}) {
      nameOfVersion(version); // throws for what is no version
      const sizeBytes = sizeOfWeights(tensors);
      const manifest = { version, sha256: sha256OfTensors(tensors), sizeBytes, step };
      const present = versions.get(version)?.manifest;
      if (present?.sha256 === manifest.sha256) return present;
      if (present) throw versionTaken(version);
      versions.set(version, { manifest, tensors });
      return manifest;
    },
    async fetch(version, sha256) {
      const found = versions.get(version);
      if (!found) throw unknownVersion("memory", version);
      checkHash(found.manifest, sha256);
      return found.tensors;
    },
    async latest() {
      const newest = numbers().at(-1);
      return newest === undefined ? undefined : versions.get(newest)?.manifest;
    },
    async prune(keep, spare) {
      const removed = prunedVersions(numbers(), keep, spare);
      for (const version of removed) versions.delete(version);
      return removed;
    },
  };
}
