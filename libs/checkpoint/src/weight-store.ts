import { join } from "node:path";
import { StagecraftError, type JsonObject } from "@stagecraft/core";
import { listNames, sweepTemporaries } from "./atomic-directory.js";
import { nodeFileSystem, type FileSystem } from "./file-system.js";
import {
  readManifest,
  readSealedDirectory,
  sha256InTurns,
  sha256Of,
  writeSealedDirectory,
  type Manifest,
} from "./manifest.js";
import type { Signer, Verifier } from "./signing.js";
import { decodeSafetensors, encodeSafetensorsChunks } from "./safetensors.js";
import type { TensorMap } from "./tensor-entry.js";

/** What a published version is; small enough to travel in an event. */
export interface WeightManifest {
  readonly version: number;
  /** Hex sha256 of the safetensors image. */
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Optimizer step that made it. */
  readonly step: number;
  /** By the publisher's key over all of the above. */
  readonly signature?: string;
}

/** Who signs what is published, and whose signature is asked for when it is fetched; default nobody. */
export interface WeightKeys {
  signer?: Signer | undefined;
  verifier?: Verifier | undefined;
}

/** Versioned weights between one publisher and many readers. */
export interface WeightStore {
  /**
   * Makes a version available, whole or not at all. Publishing it again with equal tensors changes
   * nothing; with others it throws `already_exists`: a version never changes under its readers. The
   * tensors must not change until it resolves.
   */
  publish(version: number, tensors: TensorMap, meta?: { step?: number }): Promise<WeightManifest>;
  /**
   * The tensors of a version, hashes checked. Throws `not_found` for an unknown or pruned version,
   * `aborted` when its sha256 is not the expected one, `data_loss` when the files are damaged,
   * `permission_denied` when no trusted key has signed it.
   */
  fetch(version: number, sha256?: string): Promise<TensorMap>;
  /** The highest version, undefined before the first. */
  latest(): Promise<WeightManifest | undefined>;
  /** Removes all but the newest `keep` versions (≥ 1); resolves to the removed ones. */
  prune(keep: number): Promise<number[]>;
}

const WEIGHTS_FILE = "weights.safetensors";

/** Leftovers of a crashed publisher are removed after this; readers may share the directory. */
const STALE_AFTER_MS = 15 * 60_000;

/** sha256 of the safetensors image of tensors: the hash that `publish` reports for them. */
export function sha256OfTensors(tensors: TensorMap): string {
  return sha256Of(encodeSafetensorsChunks(tensors));
}

/** A weight store in a directory: `v-NNNNNN/{weights.safetensors,manifest.json}`. */
export function openWeightStore(
  directory: string,
  { fileSystem = nodeFileSystem, ...keys }: { fileSystem?: FileSystem } & WeightKeys = {},
): WeightStore {
  const list = async () =>
    (await listNames(directory, fileSystem)).flatMap(versionOf).sort((a, b) => a - b);
  const pathOf = (version: number) => join(directory, nameOf(version));

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
    async prune(keep) {
      const removed = (await list()).slice(0, -Math.max(1, Math.floor(keep)));
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

/** The signature of a manifest. */
export function signWeights(manifest: WeightManifest, signer: Signer): string {
  return signer.sign("weights", statementOf(manifest));
}

/** Throws `permission_denied` when keys are asked for and none of them has signed the manifest. */
export function checkSignature(manifest: WeightManifest, { verifier }: WeightKeys): void {
  const { version, signature } = manifest;
  const statement = statementOf(manifest);
  verifier?.check(`weights ${version}`, { what: "weights", statement, signature });
}

function statementOf({ version, step, sha256, sizeBytes }: WeightManifest): string {
  return JSON.stringify({ version, step, sha256, sizeBytes });
}

/** Throws `aborted` when another hash is expected. */
export function checkHash({ version, sha256 }: WeightManifest, expected: string | undefined): void {
  if (expected === undefined || expected === sha256) return;
  throw new StagecraftError(
    "aborted",
    `weights of version ${version} have sha256 ${sha256}, expected ${expected}; ask for the latest version`,
    { details: { version, sha256, expected } },
  );
}

/** For a version that was never published, or is pruned. */
export function unknownVersion(directory: string, version: number): StagecraftError {
  return new StagecraftError("not_found", `no weights of version ${version} in ${directory}`, {
    details: { directory, version },
  });
}

/** For a version that was published with other tensors. */
export function versionTaken(version: number, cause?: unknown): StagecraftError {
  return new StagecraftError(
    "already_exists",
    `weights of version ${version} were published already and are others; take the next number`,
    { cause, details: { version } },
  );
}

function nameOf(version: number): string {
  if (!Number.isSafeInteger(version) || version < 0) {
    throw new StagecraftError("invalid_argument", `version must be an integer ≥ 0, got ${version}`);
  }
  return `v-${String(version).padStart(6, "0")}`;
}

function versionOf(name: string): number[] {
  const match = /^v-(\d{6,})$/.exec(name);
  return match ? [Number(match[1])] : [];
}
