import { realpath } from "node:fs/promises";
import { basename, dirname, relative, resolve, sep } from "node:path";
import { readLineage, weightsHash } from "@stagecraft/registry";
import { lookAtRunFile } from "@stagecraft/report";
import type { RunKin, RunLink } from "../http/api/index.js";
import type { FoundRun } from "./find-runs.js";

/** Among runs: those whose files one has read, and those that have read its own. By the folders they lie in. */
export async function kinOf(run: FoundRun, all: readonly FoundRun[]): Promise<RunKin> {
  const here = all.filter((each): each is FoundRun & { dir: string } => each.dir !== undefined);
  const read = new Map(
    await Promise.all(here.map(async (each) => [each, await foldersRead(each.dir)] as const)),
  );
  const owners = (each: (typeof here)[number]) => {
    const folders = [...(read.get(each) ?? new Map<string, Record<string, string>>())];
    return folders.flatMap(([folder, files]) => {
      const owner = ownerOf(folder, here);
      return owner && owner !== each ? [{ owner, folder, files }] : [];
    });
  };
  const self = here.find(({ dir }) => dir === run.dir);
  const usedBy = here.filter(
    (each) => each !== self && owners(each).some(({ owner }) => owner === self),
  );
  return { madeFrom: self ? await parents(owners(self)) : [], usedBy: usedBy.map(link) };
}

/** One link a run; a model that has other weights by now is said to. */
async function parents(
  owned: readonly { owner: FoundRun; folder: string; files: Record<string, string> }[],
): Promise<RunKin["madeFrom"]> {
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
