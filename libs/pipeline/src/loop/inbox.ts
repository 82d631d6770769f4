import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { StagecraftError } from "@stagecraft/core";
import { readRankings, type Ranking } from "@stagecraft/data";
import type { StageReporter } from "@stagecraft/runs";
import type { RankingSource } from "./wait-for-rankings.js";

export interface InboxOptions {
  /** Files whose rankings are known, as `name sha256`; a file that was changed counts as new. */
  consumed: ReadonlySet<string>;
  reporter: StageReporter;
}

/** Rankings in the .jsonl files of a folder. */
export interface Inbox extends RankingSource {
  /** The files that the last `read` took, as `name sha256`. */
  files(): string[];
}

/**
 * Opens a folder where people drop rankings. Later files come later, so that a rater's last word is the
 * one written last. A malformed file, such as one that is still being copied, is reported once and
 * looked at again when it changes.
 */
export async function openInbox(
  folder: string,
  { consumed, reporter }: InboxOptions,
): Promise<Inbox> {
  await mkdir(folder, { recursive: true });
  const refused = new Set<string>();
  let files: string[] = [];
  return {
    where: `in ${folder}`,
    files: () => files,
    async read() {
      const rankings: Ranking[] = [];
      files = [];
      for (const { file, id } of await filesOf(folder)) {
        if (consumed.has(id) || refused.has(id)) continue;
        try {
          rankings.push(...(await readAll(file)));
          files.push(id);
        } catch (thrown) {
          refused.add(id);
          reporter.warn(
            `${StagecraftError.from(thrown).reason}; left aside until the file changes`,
          );
        }
      }
      return rankings;
    },
  };
}

/** The folder's .jsonl files, oldest first. */
async function filesOf(folder: string): Promise<{ file: string; id: string }[]> {
  const names = (await readdir(folder)).filter((name) => /\.jsonl(\.gz)?$/.test(name)).sort();
  const found: { file: string; id: string; mtimeMs: number }[] = [];
  for (const name of names) {
    const file = join(folder, name);
    const stats = await stat(file);
    if (!stats.isFile()) continue;
    const hash = createHash("sha256").update(await readFile(file));
    found.push({ file, id: `${name} ${hash.digest("hex")}`, mtimeMs: stats.mtimeMs });
  }
  return found.sort((a, b) => a.mtimeMs - b.mtimeMs);
}

async function readAll(file: string): Promise<Ranking[]> {
  const rankings: Ranking[] = [];
  for await (const ranking of readRankings(file)) rankings.push(ranking);
  return rankings;
}
