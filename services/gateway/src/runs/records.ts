import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { parseMetrics, type MetricsRecord } from "@stagecraft/report";

/** Records since the last look; `isAll` when they begin anew. */
export interface NewRecords {
  isAll: boolean;
  records: MetricsRecord[];
}

/** Where the records of a run come from. */
export interface RecordSource {
  /** What is new; undefined = nothing. The first look gives all there is. */
  poll(): Promise<NewRecords | undefined>;
  close(): void;
}

const NEWLINE = 0x0a;

/**
 * Follows a run directory's metrics.jsonl. A resumed run cuts off what its lost steps had written: then
 * all begins anew. A line is taken when it is whole.
 */
export function directoryRecords(dir: string): RecordSource {
  const file = join(dir, "metrics.jsonl");
  let [offset, identity] = [-1, ""];
  return {
    async poll() {
      const now = await identityOf(dir);
      const size = (await stat(file).catch(() => undefined))?.size ?? 0;
      const isAll = offset < 0 || size < offset || now !== identity;
      if (!isAll && size === offset) return undefined;
      const start = isAll ? 0 : offset;
      const { text, end } = await readLines(file, start, size);
      [offset, identity] = [end, now];
      const { records } = parseMetrics(text);
      return isAll || records.length > 0 ? { isAll, records } : undefined;
    },
    close: () => undefined,
  };
}

/** Changes when the run is started or resumed, as run.json is then another file. */
async function identityOf(dir: string): Promise<string> {
  const found = await stat(join(dir, "run.json"), { bigint: true }).catch(() => undefined);
  return found ? `${found.ino}/${found.mtimeNs}` : "";
}

/** The whole lines from `start` on, and where they end. */
async function readLines(file: string, start: number, size: number) {
  if (size <= start) return { text: "", end: start };
  await using handle = await open(file, "r");
  const { buffer, bytesRead } = await handle.read(
    Buffer.alloc(size - start),
    0,
    size - start,
    start,
  );
  const length = buffer.lastIndexOf(NEWLINE, bytesRead - 1) + 1;
  return { text: buffer.toString("utf8", 0, length), end: start + length };
}
