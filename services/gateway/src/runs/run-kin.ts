import { realpath } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { readLineage, weightsHash } from "@stagecraft/registry";
import { lookAtRunFile } from "@stagecraft/report";
import type { RunKin, RunLink } from "../http/api/index.js";
import type { FoundRun } from "./find-runs.js";

/**
 * Among runs: those whose files one has read, and those that have read its own; by the folders they lie in,
 * and models of runs that were moved since by their weights.
 */
export async function kinOf(run: FoundRun, all: readonly FoundRun[]): Promise<RunKin> {
  const here = all.filter((each): each is Here => each.dir !== undefined);
  const read = new Map(
    await Promise.all(here.map(async (each) => [each, await foldersRead(each.dir)] as const)),
  );
  const owners = async (each: Here): Promise<Owned[]> => {
    const folders = [...(read.get(each) ?? [])];
    const found = await Promise.all(
      folders.map(async ([folder, files]) => {
        const owner = ownerOf(folder, here) ?? (await makerOf(weightsHash(files), here));
        return owner && owner !== each ? [{ owner, folder, files }] : [];
      }),
    );
    return found.flat();
  };
  const self = here.find(({ dir }) => dir === run.dir);
  if (!self) return { madeFrom: [], usedBy: [] };
  const others = here.filter((each) => each !== self);
  const users = await Promise.all(
    others.map(async (each) => (await owners(each)).some(({ owner }) => owner === self)),
  );
  return {
    madeFrom: await parents(await owners(self)),
    usedBy: others.filter((_, i) => users[i]).map(link),
  };
}

type Here = FoundRun & { dir: string };

interface Owned {
  owner: Here;
  folder: string;
  /** Hashes of what was read there, by name. */
  files: Record<string, string>;
}

/** The run whose model has these weights. */
async function makerOf(
  sha256: string | undefined,
  runs: readonly Here[],
): Promise<Here | undefined> {
  if (sha256 === undefined) return undefined;
  const isMaker = await Promise.all(
    runs.map(
      async ({ dir }) => (await readLineage(join(dir, "model"), sha256)).lineage !== undefined,
    ),
  );
  return runs.find((_, i) => isMaker[i]);
}

/** One link a run; a model that has other weights by now is said to. */
async function parents(owned: readonly Owned[]): Promise<RunKin["madeFrom"]> {
  const found = new Map<string, RunKin["madeFrom"][number]>();
  for (const { owner, folder, files } of owned) {
    const sha256 = weightsHash(files);
    const isAnother =
      sha256 !== undefined && (await readLineage(folder, sha256)).isOfOthers === true;
    const before = found.get(owner.item.runId);
    const isChanged = isAnother || before?.isChanged === true;
    found.set(owner.item.runId, { ...link(owner), isChanged });
  }
  return [...found.values()];
}

const link = ({ item: { runId, name, stage } }: FoundRun): RunLink => ({ runId, name, stage });

/** The innermost run that a folder belongs to: a pipeline's folder holds those of its stages. */
function ownerOf<R extends { dir: string }>(folder: string, runs: readonly R[]): R | undefined {
  const above = runs.filter(({ dir }) => {
    const below = relative(dir, folder);
    return below !== ".." && !below.startsWith(`..${sep}`) && !below.startsWith(sep);
  });
  return above.sort((a, b) => b.dir.length - a.dir.length)[0];
}

/** Folders of the files that a run has read, with the hashes of what it read there. */
async function foldersRead(dir: string): Promise<Map<string, Record<string, string>>> {
  const { inputs = {} } = (await lookAtRunFile(dir).catch(() => undefined)) ?? {};
  const folders = new Map<string, Record<string, string>>();
  for (const [file, sha256] of Object.entries(inputs)) {
    const given = resolve(dirname(file));
    const folder = await realpath(given).catch(() => given);
    folders.set(folder, { ...folders.get(folder), [basename(file)]: sha256 });
  }
  return folders;
}
