import { StagecraftError, type JsonObject } from "@stagecraft/core";

/** A model under a name and a number: which folder, which weights. */
export interface ModelVersion {
  version: number;
  /** Relative to the registry's folder, or absolute. */
  dir: string;
  /** Of the weights, when it was registered. */
  sha256: string;
  sizeBytes: number;
  /** The stage that made it; "unknown" for a model made elsewhere. */
  stage: string;
  /** Of its lineage. */
  figures: Record<string, number>;
  addedAt: string;
  /** Such as "round 3". */
  note: string;
  /** What is used with it, for whoever registered it. */
  companions?: JsonObject;
}

/** Somebody chose the version that is used from then on. */
export interface Promotion {
  version: number;
  at: string;
  by: string;
  kind: "promote" | "rollback";
}

/** Versions of one name, oldest first, and which were in use one after the other. */
export interface ModelHistory {
  versions: ModelVersion[];
  promotions: Promotion[];
}

/** models.json. */
export interface RegistryContent {
  formatVersion: 1;
  models: Record<string, ModelHistory>;
}

/** A registry that has nothing yet. */
export function emptyRegistry(): RegistryContent {
  return { formatVersion: 1, models: nothing() };
}

/** The list as it is written. */
export function registryText(content: RegistryContent): string {
  return `${JSON.stringify(content, null, 2)}\n`;
}

/** What a list says. Throws `data_loss` naming `source` for one that cannot be read. */
export function parseRegistry(text: string, source: string): RegistryContent {
  try {
    const content = JSON.parse(text) as RegistryContent;
    if (content.formatVersion === 1 && isModels(content.models)) {
      // Without the names that every object knows, such as "constructor".
      return { ...content, models: Object.assign(nothing(), content.models) };
    }
  } catch {
    // said below
  }
  throw new StagecraftError(
    "data_loss",
    `${source} is no registry of models that this version can read; put a copy back, or move it away and register the models anew`,
    { details: { file: source } },
  );
}

function isModels(models: unknown): boolean {
  if (models === null || typeof models !== "object" || Array.isArray(models)) return false;
  return Object.values(models as Record<string, Partial<ModelHistory> | null>).every(
    (each) => Array.isArray(each?.versions) && Array.isArray(each.promotions),
  );
}

const nothing = () => Object.create(null) as Record<string, ModelHistory>;
