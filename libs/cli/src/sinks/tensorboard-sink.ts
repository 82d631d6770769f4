import { mkdir, open, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { JsonObject } from "@stagecraft/core";
import { fileVersion, recordEnds, summaryEvent, wallTimeOf } from "./event-file.js";
import type { MetricsSink, SinkKind } from "./metrics-sink.js";
import { scalarsOf } from "./scalars.js";

const FILE = /^events\.out\.tfevents\.\d+\.stagecraft$/;

/**
 * Event files for TensorBoard: in `tensorboard/` of every run, or in a folder of its name in `root`. Each
 * record of metrics.jsonl is one event, so that what a resumed run takes back is cut off here too.
 */
export function tensorboardSink(root?: string): SinkKind {
  return {
    name: "TensorBoard",
    open: ({ dir, name }) => openSink(root ? join(root, name) : join(dir, "tensorboard")),
  };
}

async function openSink(dir: string): Promise<MetricsSink> {
  await mkdir(dir, { recursive: true });
  const now = () => Date.now() / 1000;
  const known = (await readdir(dir)).find((name) => FILE.test(name));
  const file = join(dir, known ?? `events.out.tfevents.${Math.floor(now())}.stagecraft`);
  let before = known === undefined ? undefined : await readFile(file);
  /** End of each event; the first record is the file's version. */
  let ends = before ? recordEnds(before) : [];
  return {
    async bring(records, unchanged) {
      // What the run did without this sink is known from the events alone.
      if (before) ends = ends.slice(0, numTrue(before, ends, records) + 1);
      before = undefined;
      const kept = ends.slice(0, Math.min(records.length, unchanged) + 1);
      const added = records.slice(Math.max(0, kept.length - 1));
      if (kept.length === ends.length && kept.length > 0 && added.length === 0) return;
      const parts = kept.length === 0 ? [fileVersion(now())] : [];
      const first = Math.max(0, kept.length - 1);
      added.forEach((record, i) => parts.push(summaryEvent(scalarsOf(record, first + i), now())));
      let at = kept.at(-1) ?? 0;
      const handle = await open(file, known || ends.length > 0 ? "r+" : "w");
      try {
        await handle.truncate(at);
        for (const part of parts) {
          await handle.write(part, 0, part.length, at);
          kept.push((at += part.length));
        }
        await handle.sync();
      } finally {
        await handle.close();
      }
      ends = kept;
    },
    end: () => Promise.resolve(),
    missing: (records) => Math.max(0, records.length + 1 - ends.length),
  };
}

/** How many of the events, from the first, are of these records. */
function numTrue(content: Buffer, ends: readonly number[], records: readonly JsonObject[]): number {
  const events = ends.slice(1).map((end, i) => content.subarray(ends[i], end));
  const wrong = events.findIndex((event, i) => {
    const record = records[i];
    return !record || !summaryEvent(scalarsOf(record, i), wallTimeOf(event)).equals(event);
  });
  return wrong < 0 ? events.length : wrong;
}
