import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { createSerialQueue, StagecraftError } from "@stagecraft/core";
import { parseMetrics } from "@stagecraft/report";
import { readRunRecord, type StageReporter } from "@stagecraft/runs";
import type { MetricsSink, SinkKind } from "./metrics-sink.js";

/** Takes the figures of runs to sinks while they work. */
export interface RunFollower {
  /** Figures may have come; returns at once. */
  tell(): void;
  /** Takes the rest, says how each run ended, and what could not be taken. */
  close(): Promise<void>;
}

interface Followed {
  sink: MetricsSink;
  kind: SinkKind;
  dir: string;
  /** metrics.jsonl as it was taken last. */
  text: string;
}

const MAX_DEPTH = 5;
const EVERY_MS = 1000;
const LEFT_OUT = new Set(["checkpoints", "best", "model", "tensorboard", "corpus"]);

/**
 * Follows every run in `root`: a stage's own, a pipeline's stages, a loop's rounds. What a sink does never
 * stops training: it is said once, and counted at the end.
 */
export async function followRuns(
  root: string,
  { kinds, reporter }: { kinds: readonly SinkKind[]; reporter: Pick<StageReporter, "warn"> },
): Promise<RunFollower> {
  const followed = new Map<string, Followed>();
  const queue = createSerialQueue();
  const failing = new Map(kinds.map((kind) => [kind, new Set<string>()]));
  const fail = (kind: SinkKind, dir: string, { reason }: StagecraftError) => {
    const runs = failing.get(kind)!;
    if (runs.size === 0) {
      reporter.warn(`${kind.name}: ${reason}; training goes on, and it is tried again`);
    }
    runs.add(dir);
  };
  const visitRun = async (kind: SinkKind, dir: string, isLast: boolean) => {
    const key = `${kind.name} ${dir}`;
    const each = followed.get(key) ?? (await open(root, { dir, kind }));
    followed.set(key, each);
    await bring(each);
    if (isLast) await each.sink.end((await readRunRecord(dir))?.state ?? "");
    failing.get(kind)!.delete(dir);
  };
  const visit = async (isLast: boolean) => {
    for (const kind of kinds) {
      for (const dir of await runDirs(root)) {
        try {
          await visitRun(kind, dir, isLast);
        } catch (thrown) {
          const error = StagecraftError.from(thrown);
          fail(kind, dir, error);
          if (error.code === "unavailable") break; // nor would it answer for the other runs
        }
      }
    }
  };
  const sync = () => queue.run(() => visit(false));
  // What an earlier attempt left, before this one takes some of it back.
  await sync();
  let [isDue, isBusy] = [false, false];
  const timer = setInterval(() => {
    if (!isDue || isBusy) return;
    [isDue, isBusy] = [false, true];
    void sync().finally(() => (isBusy = false));
  }, EVERY_MS);
  timer.unref();
  return {
    tell: () => void (isDue = true),
    async close() {
      clearInterval(timer);
      await queue.run(() => visit(true));
      for (const kind of kinds) {
        const sinkOf = (dir: string) => followed.get(`${kind.name} ${dir}`)?.sink;
        tellMissing(kind, await countsOf(await runDirs(root), sinkOf), reporter);
      }
    },
  };
}

interface Counts {
  missing: number;
  damaged: number;
}

/** Over all runs, those that a sink could not even be opened for included. */
async function countsOf(
  dirs: readonly string[],
  sinkOf: (dir: string) => MetricsSink | undefined,
): Promise<Counts> {
  const counts = { missing: 0, damaged: 0 };
  for (const dir of dirs) {
    const { records, numDamaged } = parseMetrics(await textOf(dir).catch(() => ""));
    counts.missing += sinkOf(dir)?.missing(records) ?? records.length;
    counts.damaged += numDamaged;
  }
  return counts;
}

function tellMissing(
  { name }: SinkKind,
  { missing, damaged }: Counts,
  reporter: Pick<StageReporter, "warn">,
): void {
  if (missing > 0) {
    reporter.warn(
      `${name} does not have ${missing} records of metrics.jsonl; the same command with --resume sends them`,
    );
  }
  if (damaged > 0) {
    reporter.warn(`${damaged} lines of metrics.jsonl cannot be read; ${name} does not have them`);
  }
}

async function open(
  root: string,
  { dir, kind }: { dir: string; kind: SinkKind },
): Promise<Followed> {
  const inside = relative(root, dir);
  const name = inside === "" ? basename(dir) : join(basename(root), inside);
  return { sink: await kind.open({ dir, name }), kind, dir, text: "" };
}

async function bring(each: Followed): Promise<void> {
  const text = await textOf(each.dir);
  const { records } = parseMetrics(text);
  const same = each.text === "" ? text : commonLines(each.text, text);
  await each.sink.bring(records, parseMetrics(same).records.length);
  each.text = text;
}

/** The lines with which both begin. */
function commonLines(before: string, after: string): string {
  if (after.startsWith(before)) return before;
  const [a, b] = [before.split("\n"), after.split("\n")];
  const different = a.findIndex((line, i) => line !== b[i]);
  return a.slice(0, different).join("\n");
}

/** Whole lines only: the last one may be under way. */
async function textOf(dir: string): Promise<string> {
  const file = join(dir, "metrics.jsonl");
  const text = existsSync(file) ? await readFile(file, "utf8") : "";
  return text.slice(0, text.lastIndexOf("\n") + 1);
}

/** Run directories at or under `dir`. */
async function runDirs(dir: string, depth = 0): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  const found = entries.some(({ name }) => name === "run.json") ? [dir] : [];
  if (depth === MAX_DEPTH) return found;
  for (const entry of entries) {
    if (!entry.isDirectory() || LEFT_OUT.has(entry.name)) continue;
    found.push(...(await runDirs(join(dir, entry.name), depth + 1)));
  }
  return found;
}
