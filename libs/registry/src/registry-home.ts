import type { LineageFound } from "./lineage.js";
import type { RegistryContent } from "./registry-content.js";
import type { ModelIdentity } from "./weights-hash.js";

/** A file of a model, read from where the model is. */
export interface VersionFile {
  /** Within the model's folder. */
  name: string;
  sizeBytes: number;
  modifiedAtMs: number;
  read(): AsyncIterable<Uint8Array>;
}

/**
 * Where a registry has its list and its models: a file and directories (`openRegistry`), or an object store
 * (`openStoreRegistry` of model-store). `dir` is always what stands in the list.
 */
export interface RegistryHome {
  /** For messages and commands: the file, or the store's URL. */
  readonly name: string;
  read(): Promise<RegistryContent>;
  /** Reads, changes and replaces the list as one step. `change` may be called again when others were faster. */
  change<T>(change: (content: RegistryContent) => T): Promise<T>;
  /** Takes a model in under a name: what it is called in the list, and which it is. */
  take(name: string, where: string): Promise<{ dir: string } & ModelIdentity>;
  /** What programs load it by: an absolute path, or a URL. */
  pathOf(dir: string): string;
  /** Which model is there now. Throws `not_found` when none is. */
  identify(dir: string): Promise<ModelIdentity>;
  lineage(dir: string, sha256: string): Promise<LineageFound>;
  files(dir: string): Promise<VersionFile[]>;
}
