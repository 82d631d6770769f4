import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { createSerialQueue, StagecraftError, type JsonObject } from "@stagecraft/core";
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
  const said = new Set<string>();
  const fail = (kind: SinkKind, thrown: unknown) => {
    if (said.has(kind.name)) return;
    said.add(kind.name);
    const { reason } = StagecraftError.from(thrown);
    reporter.warn(`${kind.name}: ${reason}; training goes on, and it is tried again`);
  };
  const visit = async (work: (each: Followed, records: JsonObject[]) => Promise<void>) => {
    for (const dir of await runDirs(root)) {
      for (const kind of kinds) {
        try {
          const key = `${kind.name} ${dir}`;
          const each = followed.get(key) ?? (await open(root, { dir, kind }));
          followed.set(key, each);
          await work(each, await bring(each));
          said.delete(kind.name);
        } catch (thrown) {
          fail(kind, thrown);
        }
      }
    }
  };
  const sync = () => queue.run(() => visit(() => Promise.resolve()));
  // What an earlier attempt left, before this one takes some of it back.
  await sync();
  let isDue = false;
  const timer = setInterval(() => {
    if (isDue) void sync();
    isDue = false;
  }, EVERY_MS);
  timer.unref();
  return {
    tell: () => void (isDue = true),
    async close() {
      clearInterval(timer);
      await queue.run(() =>
        visit(async ({ sink, dir }) => {
          await sink.end((await readRunRecord(dir))?.state ?? "");
        }),
      );
      for (const kind of kinds) await tellMissing(kind, [...followed.values()], reporter);
    },
  };
}

async function tellMissing(
  kind: SinkKind,
  followed: readonly Followed[],
  reporter: Pick<StageReporter, "warn">,
): Promise<void> {
  let missing = 0;
  for (const each of followed.filter((one) => one.kind === kind)) {
    missing += each.sink.missing(recordsOf(await textOf(each.dir)));
  }
  if (missing === 0) return;
  reporter.warn(
    `${kind.name} does not have ${missing} records of metrics.jsonl; the same command with --resume sends them`,
  );
}

async function open(
  root: string,
  { dir, kind }: { dir: string; kind: SinkKind },
): Promise<Followed> {
  const inside = relative(root, dir);
  const name = inside === "" ? basename(dir) : join(basename(root), inside);
  return { sink: await kind.open({ dir, name }), kind, dir, text: "" };
}

async function bring(each: Followed): Promise<JsonObject[]> {
  const text = await textOf(each.dir);
  const records = recordsOf(text);
  const unchanged = each.text === "" ? records.length : commonLines(each.text, text);
  await each.sink.bring(records, unchanged);
  each.text = text;
  return records;
}

function commonLines(before: string, after: string): number {
  if (after.startsWith(before)) return recordsOf(before).length;
  const [a, b] = [before.split("\n"), after.split("\n")];
  let same = 0;
  while (same < a.length && a[same] === b[same] && a[same] !== "") same++;
  return same;
}

/** Whole lines only: the last one may be under way. */
async function textOf(dir: string): Promise<string> {
  const file = join(dir, "metrics.jsonl");
  const text = existsSync(file) ? await readFile(file, "utf8") : "";
  return text.slice(0, text.lastIndexOf("\n") + 1);
}

function recordsOf(text: string): JsonObject[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as JsonObject);
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
