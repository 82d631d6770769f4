import { StagecraftError, type JsonObject } from "@stagecraft/core";
import { UNKNOWN, type LineageFound } from "./lineage.js";
import { checkName, notFound, parseReference, previousOf } from "./model-reference.js";
import type { ModelHistory, ModelVersion, Promotion, RegistryContent } from "./registry-content.js";
import type { RegistryHome, VersionFile } from "./registry-home.js";

/** A version, where it lies and whether it is the one in use. */
export interface RegisteredVersion extends ModelVersion {
  name: string;
  /** Absolute; in a store the URL with its version. */
  path: string;
  isPromoted: boolean;
}

/** All of one name: versions oldest first, and which were in use one after the other. */
export interface RegisteredModel {
  name: string;
  versions: RegisteredVersion[];
  promotions: Promotion[];
}

export interface AddOptions {
  note?: string;
  companions?: JsonObject;
}

/** Versions of models by name, and which of them is in use: one list, changed in single steps. */
export interface ModelRegistry {
  /** The list: a file, or a store's URL. */
  readonly file: string;
  /** Everything, of one reading. */
  models(): Promise<RegisteredModel[]>;
  /** Oldest first; empty for a name that is not there. */
  versions(name: string): Promise<RegisteredVersion[]>;
  promotions(name: string): Promise<Promotion[]>;
  /** The version in use; undefined when none was promoted. */
  current(name: string): Promise<RegisteredVersion | undefined>;
  /** `name` means the version in use, `name@3` that one. Throws `not_found`, naming what there is. */
  find(reference: string): Promise<RegisteredVersion>;
  /** Where a version comes from, or why nobody knows it. */
  lineage(version: RegisteredVersion): Promise<LineageFound>;
  /** The files of a version, to be sent elsewhere. */
  files(version: RegisteredVersion): Promise<VersionFile[]>;
  /** Registers a directory; the same weights with the same companions keep their version. */
  add(name: string, dir: string, options?: AddOptions): Promise<RegisteredVersion>;
  /** Puts a version to use. Throws `data_loss` when its weights are not those that were registered. */
  promote(name: string, version: number, options: { by: string }): Promise<RegisteredVersion>;
  /**
   * Back to `to`, or to the version that was in use before this one; again, to the one before that.
   * Throws `failed_precondition` when there is none.
   */
  rollBack(name: string, options: { by: string; to?: number }): Promise<RegisteredVersion>;
}

/** The registry of a home. What a change returns was read and written in the one step that it is. */
export function createRegistry(
  home: RegistryHome,
  { now = () => new Date() }: { now?: () => Date } = {},
): ModelRegistry {
  const modelOf = (name: string, history: ModelHistory): RegisteredModel => ({
    name,
    versions: history.versions.map((version) => ({
      ...{ name, ...version, path: home.pathOf(version.dir) },
      isPromoted: history.promotions.at(-1)?.version === version.version,
    })),
    promotions: history.promotions,
  });
  const findIn = (content: RegistryContent, reference: string): RegisteredVersion => {
    const { name, number } = parseReference(reference);
    const { versions } = modelOf(name, content.models[name] ?? EMPTY);
    const found = versions.find(({ version, isPromoted }) =>
      number === undefined ? isPromoted : version === number,
    );
    if (found) return found;
    throw notFound(home.name, content, { name, number });
  };
  const find = async (reference: string) => findIn(await home.read(), reference);
  const model = async (name: string) => modelOf(name, (await home.read()).models[name] ?? EMPTY);
  const use = async (name: string, version: number, how: Omit<Promotion, "version" | "at">) => {
    const reference = `${name}@${version}`;
    await checkUnchanged(home, await find(reference));
    const at = now().toISOString();
    return await home.change((content) => {
      findIn(content, reference); // the list may be another by now
      content.models[name]!.promotions.push({ version, at, ...how });
      return findIn(content, reference);
    });
  };
  return {
    file: home.name,
    models: async () =>
      Object.entries((await home.read()).models).map(([name, history]) => modelOf(name, history)),
    versions: async (name) => (await model(name)).versions,
    promotions: async (name) => (await model(name)).promotions,
    current: async (name) => (await model(name)).versions.find(({ isPromoted }) => isPromoted),
    find,
    lineage: ({ dir, sha256 }) => home.lineage(dir, sha256),
    files: ({ dir }) => home.files(dir),
    async add(name, where, options = {}) {
      checkName(name);
      const described = await describe(home, { name, where, addedAt: now(), ...options });
      return await home.change((content) => {
        const history = (content.models[name] ??= { versions: [], promotions: [] });
        return findIn(content, `${name}@${register(history, described)}`);
      });
    },
    promote: (name, version, { by }) => use(name, version, { by, kind: "promote" }),
    async rollBack(name, { by, to }) {
      const version = to ?? previousOf(await model(name), name);
      return await use(name, version, { by, kind: "rollback" });
    },
  };
}

const EMPTY: ModelHistory = { versions: [], promotions: [] };

type Described = Omit<ModelVersion, "version">;

interface Describing extends AddOptions {
  name: string;
  where: string;
  addedAt: Date;
}

async function describe(
  home: RegistryHome,
  { name, where, addedAt, note = "", companions }: Describing,
): Promise<Described> {
  const taken = await home.take(name, where);
  const { lineage } = await home.lineage(taken.dir, taken.sha256);
  return {
    ...taken,
    stage: lineage?.stage ?? UNKNOWN,
    figures: lineage?.figures ?? {},
    addedAt: addedAt.toISOString(),
    note,
    ...(companions && { companions }),
  };
}

/** The number of the version, which is a new one unless it is known. */
function register(history: ModelHistory, described: Described): number {
  const same = history.versions.find((each) => isSame(each, described));
  if (!same) {
    const next = (history.versions.at(-1)?.version ?? 0) + 1;
    history.versions.push({ version: next, ...described });
    return next;
  }
  const { addedAt, note } = same;
  if (!same.companions)
    Object.assign(same, { ...described, addedAt, note: described.note || note });
  return same.version;
}

/** Companions tell versions of equal weights apart, where both have some. */
function isSame(a: Described, b: Described): boolean {
  if (a.sha256 !== b.sha256 || a.dir !== b.dir) return false;
  if (!a.companions || !b.companions) return true;
  return JSON.stringify(a.companions) === JSON.stringify(b.companions);
}

async function checkUnchanged(home: RegistryHome, version: RegisteredVersion): Promise<void> {
  const { name, version: number, dir, path, sha256 } = version;
  const now = await home.identify(dir);
  if (now.sha256 === sha256) return;
  throw new StagecraftError(
    "data_loss",
    `${name}@${number}: the weights in ${path} are not those that were registered (sha256 ${now.sha256}, registered ${sha256}); register the directory anew, or put the old model back`,
    { details: { path } },
  );
}
