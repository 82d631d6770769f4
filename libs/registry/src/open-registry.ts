import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { StagecraftError } from "@stagecraft/core";
import { readLineage } from "./lineage.js";
import { changeRegistry, readRegistry } from "./registry-file.js";
import type { VersionFile } from "./registry-home.js";
import { createRegistry, type ModelRegistry } from "./registry.js";
import { identifyModel } from "./weights-hash.js";

/** Opens the registry of a file, whose models are directories; it need not be there yet. */
export function openRegistry(path: string, options: { now?: () => Date } = {}): ModelRegistry {
  if (/^\w+:\/\//.test(path)) throw takesFile(path);
  const file = resolve(path);
  const home = dirname(file);
  const pathOf = (dir: string) => resolve(home, dir);
  return createRegistry(
    {
      name: file,
      read: () => readRegistry(file),
      change: (change) => changeRegistry(file, change),
      take: async (_, dir) => ({
        dir: portable(resolve(dir), home),
        ...(await identifyModel(dir)),
      }),
      pathOf,
      identify: (dir) => identifyModel(pathOf(dir)),
      lineage: (dir, sha256) => readLineage(pathOf(dir), sha256),
      files: (dir) => filesOf(pathOf(dir)),
    },
    options,
  );
}

function takesFile(path: string): StagecraftError {
  return new StagecraftError(
    "invalid_argument",
    `${path} is an object store, and the registry here is a file such as runs/models.json, with models in directories`,
  );
}

/** A folder of runs with its registry may be moved as a whole. */
function portable(dir: string, home: string): string {
  const inside = relative(home, dir);
  const isInside = inside !== "" && !isAbsolute(inside) && inside.split(sep)[0] !== "..";
  return isInside ? inside : dir;
}

/** The plain files of a folder; hidden ones are left out. A link is refused: behind it there may be any file. */
async function filesOf(dir: string): Promise<VersionFile[]> {
  const all = await readdir(dir, { withFileTypes: true });
  const entries = all.filter(({ name }) => !name.startsWith("."));
  const link = entries.find((each) => each.isSymbolicLink());
  if (link) {
    throw new StagecraftError(
      "failed_precondition",
      `the model cannot be sent: ${join(dir, link.name)} is a link; put the file itself there`,
    );
  }
  const names = entries.filter((each) => each.isFile()).map(({ name }) => name);
  return Promise.all(names.map((name) => fileOf(join(dir, name), name)));
}

async function fileOf(path: string, name: string): Promise<VersionFile> {
  const { size: sizeBytes, mtimeMs: modifiedAtMs } = await stat(path);
  const read = () => createReadStream(path, { highWaterMark: 1 << 20 });
  return { name, sizeBytes, modifiedAtMs, read };
}
