import { mkdir, readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { acquireDirectoryLock, atomicWriteFile, type DirectoryLock } from "@stagecraft/checkpoint";
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

const WAIT_MS = 10_000;
const RETRY_MS = 25;

/** What the registry holds; nothing when there is no file. Throws `data_loss` for a damaged one. */
export async function readRegistry(file: string): Promise<RegistryContent> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT")
      return { formatVersion: 1, models: nothing() };
    throw StagecraftError.from(thrown);
  }
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
    `${file} is no registry of models that this version can read; put a copy back, or move it away and register the models anew`,
    { details: { file } },
  );
}

function isModels(models: unknown): boolean {
  if (models === null || typeof models !== "object" || Array.isArray(models)) return false;
  return Object.values(models as Record<string, Partial<ModelHistory> | null>).every(
    (each) => Array.isArray(each?.versions) && Array.isArray(each.promotions),
  );
}

const nothing = () => Object.create(null) as Record<string, ModelHistory>;

/** Reads, changes and replaces the file as one step; others wait. */
export async function changeRegistry<T>(
  file: string,
  change: (content: RegistryContent) => T,
): Promise<T> {
  const lock = await lockFor(file);
  try {
    const content = await readRegistry(file);
    const result = change(content);
    const text = `${JSON.stringify(content, null, 2)}\n`;
    await atomicWriteFile(file, text, { guard: () => lock.check() });
    return result;
  } finally {
    await lock.release();
  }
}

/** Whoever holds it is done in milliseconds. */
async function lockFor(file: string): Promise<DirectoryLock> {
  await mkdir(dirname(file), { recursive: true });
  const options = { file: `${basename(file)}.lock`, what: "registry of models" };
  const until = Date.now() + WAIT_MS;
  for (;;) {
    try {
      return await acquireDirectoryLock(dirname(file), options);
    } catch (thrown) {
      const { code } = StagecraftError.from(thrown);
      if (code !== "failed_precondition" || Date.now() > until) throw thrown;
      await delay(RETRY_MS);
    }
  }
}
