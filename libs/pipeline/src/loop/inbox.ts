import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { StagecraftError } from "@stagecraft/core";
import type { StageReporter } from "@stagecraft/runs";

export interface InboxOptions<T> {
  /** Reads a file's records, such as `readRankings`. */
  records(file: string): AsyncIterable<T>;
  /** Files whose records are known, as `name sha256`; a file that was changed counts as new. */
  consumed: ReadonlySet<string>;
  reporter: StageReporter;
}

/** Records in the .jsonl files of a folder. */
export interface Inbox<T> {
  /** As a person would look for it: "in runs/loop/inbox". */
  readonly where: string;
  /** What the files hold that are not known yet. */
  read(): Promise<T[]>;
  /** The files that the last `read` took, as `name sha256`. */
  files(): string[];
}

/**
 * Opens a folder where people drop rankings or demonstrations. Later files come later, so that a rater's last word is the
 * one written last. A malformed file, such as one that is still being copied, is reported once and
 * looked at again when it changes.
 */
export async function openInbox<T>(
  folder: string,
  { records, consumed, reporter }: InboxOptions<T>,
): Promise<Inbox<T>> {
  await mkdir(folder, { recursive: true });
  const refused = new Set<string>();
  let files: string[] = [];
  return {
    where: `in ${folder}`,
    files: () => files,
    async read() {
      const found: T[] = [];
      files = [];
      for (const { file, id } of await filesOf(folder)) {
        if (consumed.has(id) || refused.has(id)) continue;
        try {
          found.push(...(await all(records(file))));
          files.push(id);
        } catch (thrown) {
          refused.add(id);
          reporter.warn(
            `${StagecraftError.from(thrown).reason}; left aside until the file changes`,
          );
        }
      }
      return found;
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

async function all<T>(records: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const record of records) list.push(record);
  return list;
}
