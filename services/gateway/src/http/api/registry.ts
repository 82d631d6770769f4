/** Where a version comes from, as its lineage.json tells. */
export interface VersionLineage {
  parents: { field: string; path: string; sha256: string; stage: string }[];
  data: { field: string; path: string; sha256: string; sizeBytes: number; numLines?: number }[];
  config: Record<string, unknown>;
  versions: Record<string, string>;
  commit: string;
  startedAt: string;
  finishedAt: string;
  ancestors: { stage: string; sha256: string }[];
}

/** A model under a name and a number. */
export interface VersionView {
  version: number;
  path: string;
  /** Of its weights. */
  sha256: string;
  sizeBytes: number;
  /** The stage that made it; "unknown" for a model made elsewhere. */
  stage: string;
  figures: Record<string, number>;
  addedAt: string;
  note: string;
  /** Whether this is the version in use. */
  isPromoted: boolean;
  /** Null when nobody knows where it comes from; then `unknownBecause` says why. */
  lineage: VersionLineage | null;
  unknownBecause: string;
}

/** Versions of one name, newest first, and who chose which of them when, latest first. */
export interface RegisteredModelView {
  name: string;
  versions: VersionView[];
  promotions: { version: number; at: string; by: string; kind: "promote" | "rollback" }[];
}

/** `GET /api/registry`, for operators; `not_found` when the gateway was given no registry. */
export interface RegistryView {
  models: RegisteredModelView[];
  /** The names whose version in use answers here at once. */
  served: string[];
}

/** `POST /api/registry/:name/promote`: puts a version to use. Answers `RegistryView`. */
export interface PromoteVersion {
  version: number;
}

/**
 * `POST /api/registry/:name/rollback` (no body): back to the version that was in use before;
 * `failed_precondition` when there is none. Answers `RegistryView`.
 * `GET /api/registry/:name/:version/archive`: the folder of a version as a tar file.
 */
export type RolledBack = RegistryView;
