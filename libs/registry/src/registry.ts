import { dirname, isAbsolute, relative, resolve, sep } from "node:path";
import { StagecraftError, type JsonObject } from "@stagecraft/core";
import { readLineage, UNKNOWN } from "./lineage.js";
import {
  changeRegistry,
  readRegistry,
  type ModelHistory,
  type ModelVersion,
  type Promotion,
} from "./registry-file.js";
import { identifyModel } from "./weights-hash.js";

/** A version, where it lies and whether it is the one in use. */
export interface RegisteredVersion extends ModelVersion {
  name: string;
  /** Absolute. */
  path: string;
  isPromoted: boolean;
}

export interface AddOptions {
  note?: string;
  companions?: JsonObject;
}

/** Versions of models by name, and which of them is in use: one file, changed in single steps. */
export interface ModelRegistry {
  readonly file: string;
  names(): Promise<string[]>;
  /** Oldest first; empty for a name that is not there. */
  versions(name: string): Promise<RegisteredVersion[]>;
  promotions(name: string): Promise<Promotion[]>;
  /** The version in use; undefined when none was promoted. */
  current(name: string): Promise<RegisteredVersion | undefined>;
  /** `name` means the version in use, `name@3` that one. Throws `not_found`, naming what there is. */
  find(reference: string): Promise<RegisteredVersion>;
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

/** Opens the registry of a file; it need not be there yet. */
export function openRegistry(
  path: string,
  { now = () => new Date() }: { now?: () => Date } = {},
): ModelRegistry {
  const file = resolve(path);
  const home = dirname(file);
  const read = async (name: string) => (await readRegistry(file)).models[name] ?? EMPTY;
  const shown = (name: string, history: ModelHistory, version: ModelVersion) => ({
    ...{ name, ...version, path: resolve(home, version.dir) },
    isPromoted: history.promotions.at(-1)?.version === version.version,
  });
  const versions = async (name: string): Promise<RegisteredVersion[]> => {
    const history = await read(name);
    return history.versions.map((version) => shown(name, history, version));
  };
  const find = async (reference: string): Promise<RegisteredVersion> => {
    const { name, number } = parseReference(reference);
    const all = await versions(name);
    const found = all.find(({ version, isPromoted }) =>
      number === undefined ? isPromoted : version === number,
    );
    return found ?? (await throwNotFound({ file, name, number, all }));
  };
  const use = async (name: string, version: number, how: Omit<Promotion, "version" | "at">) => {
    await checkUnchanged(await find(`${name}@${version}`));
    await changeRegistry(file, ({ models }) => {
      models[name]!.promotions.push({ version, at: now().toISOString(), ...how });
    });
    return await find(name);
  };
  return {
    file,
    names: async () => Object.keys((await readRegistry(file)).models),
    versions,
    promotions: async (name) => (await read(name)).promotions,
    current: async (name) => (await versions(name)).find(({ isPromoted }) => isPromoted),
    find,
    async add(name, dir, options = {}) {
      checkName(name);
      const described = await describe(dir, { home, addedAt: now().toISOString(), ...options });
      const version = await changeRegistry(file, ({ models }) => {
        const history = (models[name] ??= { versions: [], promotions: [] });
        const same = history.versions.find((each) => isSame(each, described));
        if (same) {
          const { addedAt, note } = same;
          if (!same.companions)
            Object.assign(same, { ...described, addedAt, note: described.note || note });
          return same.version;
        }
        const next = (history.versions.at(-1)?.version ?? 0) + 1;
        history.versions.push({ version: next, ...described });
        return next;
      });
      return await find(`${name}@${version}`);
    },
    promote: (name, version, { by }) => use(name, version, { by, kind: "promote" }),
    async rollBack(name, { by, to }) {
      const version = to ?? previousOf(await read(name), name);
      return await use(name, version, { by, kind: "rollback" });
    },
  };
}

const EMPTY: ModelHistory = { versions: [], promotions: [] };

function parseReference(reference: string): { name: string; number: number | undefined } {
  const match = /^([^@]+)(?:@(\d+))?$/.exec(reference);
  if (match) return { name: match[1]!, number: match[2] ? Number(match[2]) : undefined };
  throw new StagecraftError(
    "invalid_argument",
    `${JSON.stringify(reference)} names no model; write NAME or NAME@VERSION, such as assistant@3`,
  );
}

function checkName(name: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) return;
  throw new StagecraftError(
    "invalid_argument",
    `${JSON.stringify(name)} is no name for a model: use 1 to 64 letters, digits, dots, - and _`,
  );
}

interface Describing extends AddOptions {
  home: string;
  addedAt: string;
}

async function describe(
  dir: string,
  { home, addedAt, note = "", companions }: Describing,
): Promise<Omit<ModelVersion, "version">> {
  const identity = await identifyModel(dir);
  const { lineage } = await readLineage(dir, identity.sha256);
  return {
    dir: portable(resolve(dir), home),
    ...identity,
    stage: lineage?.stage ?? UNKNOWN,
    figures: lineage?.figures ?? {},
    addedAt,
    note,
    ...(companions && { companions }),
  };
}

/** A folder of runs with its registry may be moved as a whole. */
function portable(dir: string, home: string): string {
  const inside = relative(home, dir);
  const isInside = inside !== "" && !isAbsolute(inside) && inside.split(sep)[0] !== "..";
  return isInside ? inside : dir;
}

/** Companions tell versions of equal weights apart, where both have some. */
function isSame(a: Omit<ModelVersion, "version">, b: Omit<ModelVersion, "version">): boolean {
  if (a.sha256 !== b.sha256 || a.dir !== b.dir) return false;
  if (!a.companions || !b.companions) return true;
  return JSON.stringify(a.companions) === JSON.stringify(b.companions);
}

/** What was in use before the version that is: going back twice does not lead forward again. */
function previousOf({ promotions }: ModelHistory, name: string): number {
  const stack: number[] = [];
  for (const { version, kind } of promotions) {
    const at = kind === "rollback" ? stack.lastIndexOf(version) : -1;
    if (at >= 0) stack.length = at + 1;
    else if (stack.at(-1) !== version) stack.push(version);
  }
  const previous = stack.at(-2);
  if (previous !== undefined) return previous;
  throw new StagecraftError(
    "failed_precondition",
    `${name} was in no other version before: there is nothing to roll back to`,
  );
}

async function checkUnchanged(version: RegisteredVersion): Promise<void> {
  const { name, version: number, path, sha256 } = version;
  const now = await identifyModel(path);
  if (now.sha256 === sha256) return;
  throw new StagecraftError(
    "data_loss",
    `${name}@${number}: the weights in ${path} are not those that were registered (sha256 ${now.sha256}, registered ${sha256}); register the directory anew, or put the old model back`,
    { details: { path } },
  );
}

async function throwNotFound({
  file,
  name,
  number,
  all,
}: {
  file: string;
  name: string;
  number: number | undefined;
  all: readonly RegisteredVersion[];
}): Promise<never> {
  const known = Object.keys((await readRegistry(file)).models);
  const reason =
    all.length === 0
      ? `${file} has no model ${name}; it has ${known.join(", ") || "none yet"}`
      : number === undefined
        ? `no version of ${name} is in use yet; promote one of ${all[0]!.version} to ${all.at(-1)!.version}`
        : `${name} has no version ${number}; it has ${all[0]!.version} to ${all.at(-1)!.version}`;
  throw new StagecraftError("not_found", reason, { details: { file, name } });
}
