import { createHash } from "node:crypto";
import type { Ancestor, DataFile, Lineage } from "./lineage.js";

/** A loop adds a few a round: beyond these the registry has the rest. */
const MAX_ANCESTORS = 200;

/** Parents and theirs, each once, nearest first; the farthest are counted when there are too many. */
export function ancestorsOf(
  parents: readonly Lineage[],
): Pick<Lineage, "ancestors" | "numAncestorsLeftOut"> {
  const found = new Map<string, Ancestor>();
  const add = (each: Ancestor) => {
    if (!found.has(each.sha256)) found.set(each.sha256, each);
  };
  for (const parent of parents) add(asAncestor(parent));
  for (const { ancestors } of parents) ancestors.forEach(add);
  const further = parents.reduce((sum, each) => sum + (each.numAncestorsLeftOut ?? 0), 0);
  return {
    ancestors: [...found.values()].slice(0, MAX_ANCESTORS),
    numAncestorsLeftOut: further + Math.max(0, found.size - MAX_ANCESTORS),
  };
}

function asAncestor({ model, stage, parents, data }: Lineage): Ancestor {
  const fields = [...new Set(data.map(({ field }) => field))];
  return {
    sha256: model.sha256,
    stage,
    parents: parents.map(({ field, sha256 }) => ({ field, sha256 })),
    data: fields.map((field) => ({
      field,
      ...summary(data.filter((file) => file.field === field)),
    })),
  };
}

function summary(files: readonly DataFile[]) {
  const numFiles = files.reduce((sum, file) => sum + (file.numFiles ?? 1), 0);
  return { numFiles, sha256: hashOfAll(files) };
}

function hashOfAll(files: readonly DataFile[]): string {
  const hash = createHash("sha256");
  for (const { sha256 } of files) hash.update(`${sha256}\n`);
  return hash.digest("hex");
}
