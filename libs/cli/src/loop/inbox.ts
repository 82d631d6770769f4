import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { StagecraftError, throwIfAborted } from "@stagecraft/core";
import { readRankings, type Ranking } from "@stagecraft/data";
import type { StageReporter } from "@stagecraft/learn";

export interface InboxOptions {
  /** Files whose rankings are known, as `name sha256`; a file that was changed counts as new. */
  consumed: ReadonlySet<string>;
  minRankings: number;
  pollMs: number;
  signal: AbortSignal;
  reporter: StageReporter;
}

export interface Delivery {
  files: string[];
  rankings: Ranking[];
}

/**
 * Waits until the new .jsonl files of a folder hold `minRankings` rankings. A malformed file, such as
 * one that is still being copied, is reported once and looked at again when it changes.
 */
export async function waitForRankings(folder: string, options: InboxOptions): Promise<Delivery> {
  const { minRankings, pollMs, signal, reporter } = options;
  await mkdir(folder, { recursive: true });
  const refused = new Set<string>();
  let told = -1;
  for (;;) {
    throwIfAborted(signal);
    const delivery = await readNew(folder, refused, options);
    const found = delivery.rankings.length;
    if (found >= minRankings) return delivery;
    if (found !== told) {
      reporter.info(`waiting for rankings in ${folder}: ${found} of ${minRankings}`);
      told = found;
    }
    await delay(pollMs, undefined, { signal }).catch(() => throwIfAborted(signal));
  }
}

async function readNew(
  folder: string,
  refused: Set<string>,
  { consumed, reporter }: InboxOptions,
): Promise<Delivery> {
  const delivery: Delivery = { files: [], rankings: [] };
  const names = (await readdir(folder)).filter((name) => /\.jsonl(\.gz)?$/.test(name)).sort();
  for (const name of names) {
    const file = join(folder, name);
    if (!(await stat(file)).isFile()) continue;
    const id = `${name} ${createHash("sha256")
      .update(await readFile(file))
      .digest("hex")}`;
    if (consumed.has(id) || refused.has(id)) continue;
    try {
      const rankings: Ranking[] = [];
      for await (const ranking of readRankings(file)) rankings.push(ranking);
      delivery.rankings.push(...rankings);
      delivery.files.push(id);
    } catch (thrown) {
      refused.add(id);
      reporter.warn(`${StagecraftError.from(thrown).reason}; left aside until the file changes`);
    }
  }
  return delivery;
}
