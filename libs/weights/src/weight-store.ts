import { StagecraftError } from "@stagecraft/core";
import type { Signer, TensorMap, Verifier } from "@stagecraft/checkpoint";

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
  /**
   * Removes all but `keep` versions (≥ 1): the one to `spare`, which may be gone, and the newest. Resolves
   * to the removed ones.
   */
  prune(keep: number, spare?: number): Promise<number[]>;
  /** Removes what publishers left half when they were killed; only while this is the only publisher. */
  sweep?(): Promise<void>;
  /**
   * Sees to it that so many bytes fit in all; `grow`: the store may be made larger for it. Throws
   * `failed_precondition` with both sizes.
   */
  reserve?(bytes: number, options: { grow: boolean }): Promise<void>;
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

/** `v-NNNNNN`: what a version is called where it is kept, before a `suffix`. */
export function nameOfVersion(version: number, suffix = ""): string {
  if (!Number.isSafeInteger(version) || version < 0) {
    throw new StagecraftError("invalid_argument", `version must be an integer ≥ 0, got ${version}`);
  }
  return `v-${String(version).padStart(6, "0")}${suffix}`;
}

/** The versions among names, oldest first; other names are passed over. */
export function versionsAmong(names: readonly string[], suffix = ""): number[] {
  return names
    .filter((name) => name.endsWith(suffix))
    .flatMap((name) => /^v-(\d{6,})$/.exec(name.slice(0, name.length - suffix.length))?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

/** The versions that go when `keep` (≥ 1) stay: the one to spare, if it is there, and the newest. */
export function prunedVersions(
  versions: readonly number[],
  keep: number,
  spare?: number,
): number[] {
  const newestFirst = [...versions].reverse();
  const order = [
    ...newestFirst.filter((version) => version === spare),
    ...newestFirst.filter((version) => version !== spare),
  ];
  const kept = new Set(order.slice(0, Math.max(1, Math.floor(keep))));
  return versions.filter((version) => !kept.has(version));
}
