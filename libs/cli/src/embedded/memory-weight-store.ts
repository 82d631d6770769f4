import {
  sha256OfTensors,
  type TensorMap,
  type WeightManifest,
  type WeightStore,
} from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";

/** A weight store for publisher and readers in one process; the newest versions, never on disk. */
export function createMemoryWeightStore(): WeightStore {
  const versions = new Map<number, { manifest: WeightManifest; tensors: TensorMap }>();
  const numbers = () => [...versions.keys()].sort((a, b) => a - b);
  return {
    async publish(version, tensors, { step = version } = {}) {
      const sizeBytes = [...tensors.values()].reduce((sum, t) => sum + t.data.byteLength, 0);
      const manifest = { version, sha256: sha256OfTensors(tensors), sizeBytes, step };
      versions.set(version, { manifest, tensors });
      return manifest;
    },
    async fetch(version, sha256) {
      const found = versions.get(version);
      if (!found) throw new StagecraftError("not_found", `no weights of version ${version}`);
      if (sha256 === undefined || sha256 === found.manifest.sha256) return found.tensors;
      throw new StagecraftError("aborted", `weights of version ${version} have another sha256`);
    },
    async latest() {
      const newest = numbers().at(-1);
      return newest === undefined ? undefined : versions.get(newest)?.manifest;
    },
    async prune(keep) {
      const removed = numbers().slice(0, -Math.max(1, Math.floor(keep)));
      for (const version of removed) versions.delete(version);
      return removed;
    },
  };
}
