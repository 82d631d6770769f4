import { join } from "node:path";
import {
  decodeSafetensors,
  encodeSafetensorsChunks,
  listNames,
  nodeFileSystem,
  readManifest,
  readSealedDirectory,
  sha256InTurns,
  sha256Of,
  sweepTemporaries,
  writeSealedDirectory,
  type FileSystem,
  type Manifest,
} from "@stagecraft/checkpoint";
import { StagecraftError, type JsonObject } from "@stagecraft/core";
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

const WEIGHTS_FILE = "weights.safetensors";

/** Leftovers of a crashed publisher are removed after this; readers may share the directory. */
const STALE_AFTER_MS = 15 * 60_000;

/** A weight store in a directory: `v-NNNNNN/{weights.safetensors,manifest.json}`. */
export function openWeightStore(
  directory: string,
  { fileSystem = nodeFileSystem, ...keys }: { fileSystem?: FileSystem } & WeightKeys = {},
): WeightStore {
  const list = async () => versionsAmong(await listNames(directory, fileSystem));
  const pathOf = (version: number) => join(directory, nameOfVersion(version));

  return {
    async publish(version, tensors, { step = version } = {}) {
      await sweepTemporaries(directory, { fileSystem, olderThanMs: STALE_AFTER_MS });
      const files = new Map([[WEIGHTS_FILE, encodeSafetensorsChunks(tensors)]]);
      const meta: JsonObject = {
        version,
        step,
        ...(await signatureOf(files, { version, step }, keys)),
      };
      const options = { meta, fileSystem, exclusive: true };
      try {
        return describe(await writeSealedDirectory(pathOf(version), files, options));
      } catch (thrown) {
        if (StagecraftError.from(thrown).code !== "already_exists") throw thrown;
        const present = describe(await readManifest(pathOf(version), fileSystem));
        if (present.sha256 === sha256Of(files.get(WEIGHTS_FILE)!)) return present;
        throw versionTaken(version, thrown);
      }
    },
    async fetch(version, sha256) {
      if (!(await list()).includes(version)) throw unknownVersion(directory, version);
      const { manifest, files } = await readSealedDirectory(pathOf(version), fileSystem);
      checkHash(describe(manifest), sha256);
      checkSignature({ ...describe(manifest), version }, keys); // of this version, not of another
      const source = join(pathOf(version), WEIGHTS_FILE);
      return decodeSafetensors(files.get(WEIGHTS_FILE) ?? new Uint8Array(), source).tensors;
    },
    async latest() {
      const version = (await list()).at(-1);
      if (version === undefined) return undefined;
      return describe(await readManifest(pathOf(version), fileSystem));
    },
    async prune(keep, spare) {
      const removed = prunedVersions(await list(), keep, spare);
      for (const version of removed) {
        await fileSystem.rm(pathOf(version), { recursive: true, force: true });
      }
      return removed;
    },
  };
}

function describe({ files, meta }: Manifest): WeightManifest {
  const record = files[WEIGHTS_FILE] ?? { sha256: "", sizeBytes: 0 };
  const { signature } = meta;
  return {
    version: Number(meta["version"]),
    step: Number(meta["step"]),
    ...record,
    ...(typeof signature === "string" && { signature }),
  };
}

/** Nothing without a signer. */
async function signatureOf(
  files: ReadonlyMap<string, Uint8Array[]>,
  facts: Pick<WeightManifest, "version" | "step">,
  { signer }: WeightKeys,
): Promise<{ signature?: string }> {
  if (!signer) return {};
  const chunks = files.get(WEIGHTS_FILE)!;
  const sizeBytes = chunks.reduce((sum, { length }) => sum + length, 0);
  return {
    signature: signWeights({ ...facts, sha256: await sha256InTurns(chunks), sizeBytes }, signer),
  };
}
