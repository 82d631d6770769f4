import { existsSync } from "node:fs";
import { lstat, opendir, readdir, realpath } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { StagecraftError } from "@stagecraft/core";
import { formatModelUrl, isModelUrl, parseModelUrl } from "@stagecraft/model-store";
import { pathsOf, type NamedPath } from "./stage-paths.js";

/** Where a trainer may read and write on behalf of whoever calls it. */
export interface FileAccessOptions {
  /** Folder of the run directories: read and written. */
  runsDir: string;
  /** Further folders that runs may read. */
  readDirs: readonly string[];
  /** Further folders that runs may read and write, such as a cache of tokenized text. */
  writeDirs: readonly string[];
  /** How names of models in object stores begin that runs may read; default none. */
  modelSources?: readonly string[];
}

/** What a caller's run may touch. */
export interface FileAccess {
  /** Throws `permission_denied` when a configuration names a file or folder outside. */
  checkConfig(config: object, runDir: string): Promise<void>;
  /** Throws `failed_precondition` when the folder is there and is no run's. */
  checkRunDir(runDir: string): Promise<void>;
}

/** Links are followed before a path is judged, and so are those that stand in a folder. */
export function createFileAccess(options: FileAccessOptions): FileAccess {
  const { runsDir, readDirs, writeDirs, modelSources = [] } = options;
  const folders = { write: [runsDir, ...writeDirs], read: [runsDir, ...writeDirs, ...readDirs] };
  return {
    async checkConfig(config, runDir) {
      const real = {
        read: await Promise.all(folders.read.map(realPathOf)),
        write: await Promise.all(folders.write.map(realPathOf)),
      };
      for (const named of pathsOf(config)) {
        if (named.use === "load") throw foreignCode(named);
        if (isModelUrl(named.path) && named.use === "read") {
          checkSource(named, modelSources);
          continue;
        }
        const path = await realPathOf(named.path);
        const allowed = real[named.use];
        if (!allowed.some((folder) => isInside(path, folder))) {
          throw outside(named, folders[named.use]);
        }
        if (named.use === "write") await checkOutput(named, path, { ...options, runDir });
        else await checkLinks(named, path, { allowed, folders: folders.read });
      }
    },
    async checkRunDir(runDir) {
      const entry = await lstat(runDir).catch(() => undefined);
      if (!entry) return;
      if (!entry.isDirectory()) throw notOwn(runDir, "is a link or a file");
      if (isRunDir(runDir)) return;
      const others = (await readdir(runDir)).filter((name) => !OWN_FILES.test(name));
      if (others.length > 0) throw notOwn(runDir, "holds something that is no run");
    },
  };
}

function foreignCode({ field, path }: NamedPath): StagecraftError {
  return new StagecraftError(
    "permission_denied",
    `${field} is "${path}": a trainer loads no library that a caller names; leave it out, the trainer's own setting ${field} decides`,
    { details: { field } },
  );
}

/** Left by a process that ended while it began a run here. */
const OWN_FILES = /^(run\.lock|trainer\.json)/;

/** Whether a run keeps its files in this folder. */
function isRunDir(dir: string): boolean {
  return ["run.json", "trainer.json", "run.lock"].some((name) => existsSync(join(dir, name)));
}

/** The path without links; what is not there yet keeps its name below the nearest folder that is. */
async function realPathOf(path: string): Promise<string> {
  const absolute = resolve(path);
  try {
    return await realpath(absolute);
  } catch {
    const parent = dirname(absolute);
    return parent === absolute ? absolute : join(await realPathOf(parent), basename(absolute));
  }
}

function isInside(path: string, folder: string): boolean {
  const name = relative(folder, path);
  return name === "" || (name !== ".." && !name.startsWith(`..${sep}`));
}

/** An output is no run's folder but the run's own, nor the folder of all runs. */
async function checkOutput(
  { field, path: given }: NamedPath,
  path: string,
  { runsDir, writeDirs, runDir }: FileAccessOptions & { runDir: string },
): Promise<void> {
  if (isInside(path, await realPathOf(runDir))) return;
  const [runs, ...others] = await Promise.all([runsDir, ...writeDirs].map(realPathOf));
  const refuse = (whose: string) =>
    new StagecraftError(
      "permission_denied",
      `${field} is ${shown(given)}, a folder of ${whose}; name a folder of its own`,
      { details: { field } },
    );
  if (path === runs) throw refuse("all runs");
  const isBelow = (dir: string) =>
    [runs!, ...others].some((root) => dir !== root && isInside(dir, root));
  for (let dir = path; isBelow(dir); dir = dirname(dir)) {
    if (isRunDir(dir)) throw refuse("another run");
  }
}

/** A link in a folder may lead anywhere; only its owner could have made it, but what is read is checked. */
async function checkLinks(
  named: NamedPath,
  path: string,
  where: { allowed: readonly string[]; folders: readonly string[] },
  seen = new Set<string>(),
): Promise<void> {
  if (seen.has(path)) return;
  seen.add(path);
  const isFolder = await lstat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  if (!isFolder) return;
  for await (const entry of await opendir(path)) {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) await checkLinks(named, inner, where, seen);
    if (!entry.isSymbolicLink()) continue;
    const target = await realPathOf(inner);
    if (!where.allowed.some((folder) => isInside(target, folder))) {
      throw outside({ ...named, path: join(named.path, relative(path, inner)) }, where.folders);
    }
    await checkLinks(named, target, where, seen);
  }
}

function checkSource({ field, path }: NamedPath, sources: readonly string[]): void {
  const url = formatModelUrl(parseModelUrl(path));
  const isBelow = (source: string) => url === source || url.startsWith(source.replace(/\/?$/, "/"));
  if (sources.some((source) => isBelow(source) || url.startsWith(`${source}@`))) return;
  throw new StagecraftError(
    "permission_denied",
    `${field} is ${shown(path)}, and this trainer loads models from ${sources.join(", ") || "no object store"}; ` +
      "start it with --model-sources, such as s3://BUCKET",
    { details: { field } },
  );
}

function outside({ field, use, path }: NamedPath, folders: readonly string[]): StagecraftError {
  const flag = use === "read" ? "--read-dirs" : "--write-dirs";
  const known = folders.map((folder) => resolve(folder)).join(", ");
  return new StagecraftError(
    "permission_denied",
    `${field} is ${shown(path)}, outside of the folders that this trainer may ${use}: ${known}; ` +
      `put it there, or start the trainer with ${flag}`,
    { details: { field } },
  );
}

function notOwn(runDir: string, why: string): StagecraftError {
  return new StagecraftError(
    "failed_precondition",
    `${runDir} ${why}; a run's folder is its own: choose another run_dir`,
    { details: { field: "run_dir" } },
  );
}

function shown(path: string): string {
  return JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path);
}
